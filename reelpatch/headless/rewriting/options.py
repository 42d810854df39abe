"""How an instruction is to be rewritten before an edit."""

from dataclasses import dataclass
from pathlib import Path

from reelpatch.errors import BadInput

TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class RewriteOptions:
    """By a server at `url` (its `model`, None for the first it lists), by the model in a `folder`, or `plainly`, by none.

    With `or_keep`, an instruction that could not be rewritten is used as it is. Units: `timeout_s` in seconds, for a server.
    """

    url: str | None = None
    model: str | None = None
    folder: Path | None = None
    plainly: bool = False
    or_keep: bool = False
    timeout_s: float = TIMEOUT_S

    @property
    def is_asked(self) -> bool:
        """Whether anything is to be rewritten."""
        return self.plainly or self.url is not None or self.folder is not None

    def check(self) -> None:
        """Raises: `BadInput` for options that do not go together."""
        ways = {
            "rewrite_url": self.url,
            "rewrite_folder": self.folder,
            "rewrite_plainly": self.plainly or None,
        }
        given = [name for name, value in ways.items() if value is not None]
        if len(given) > 1:
            raise BadInput(
                "an instruction is rewritten in one way, but several were given: keep one.", setting=given
            )
        if self.model is not None and self.url is None:
            raise BadInput(
                "a model was named, but no server that has it: give its address too.", setting="rewrite_url"
            )
        if self.or_keep and not given:
            raise BadInput(
                "the instruction is kept as it is anyway, since nothing rewrites it: name a server or a folder.",
                setting="rewrite_or_keep",
            )
        if not 0 < self.timeout_s < float("inf"):
            raise BadInput(
                f"{self.timeout_s:g} s is no time to wait: use more than 0.", setting="rewrite_timeout"
            )
