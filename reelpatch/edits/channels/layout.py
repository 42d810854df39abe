"""What an edit by channels shows beside the latents, and what of it else the model looks at: names and numbers alone."""

from dataclasses import dataclass
from typing import Literal

from reelpatch.errors import BadInput

Where = Literal["everywhere", "edited"]
Looks = Literal["none", "first", "ends"]


@dataclass(frozen=True)
class ChannelLayout:
    """Behind the latents' channels stand those of the source's, of all frames, and one of a mask.

    `mask` says where that is 1: `everywhere`, as all of the source is there to be looked at (Capybara), or where the clip is to be
    `edited` (InsEdit's multi-task mask). The picture encoder sees `none` of its frames, the `first`, or the `ends`: first, middle
    and last. Where `text_sees`, the language model is shown the source too, which no host here does.
    """

    mask: Where = "everywhere"
    looks: Looks = "ends"
    text_sees: bool = False

    def frames_seen(self, frames: int) -> tuple[int, ...]:
        """Those that the picture encoder sees of a clip, counted from 0, each once for a clip of one frame."""
        if self.looks == "none":
            return ()
        if self.looks == "first" or frames == 1:
            return (0,)
        return 0, frames // 2, frames - 1

    def check(self, references: int) -> None:
        """Raises: `BadInput` for references, and for a layout that no host here can show."""
        if references:
            raise BadInput(
                f"{references} references were given, but this method looks at none: leave them out.",
                setting="reference",
            )
        if self.text_sees:
            raise BadInput(
                "this method shows the source to the language model too, which needs weights that its authors have not published: "
                "use capybara.",
                setting="recipe",
            )
