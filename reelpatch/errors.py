"""The one exception that is meant for the person at the keyboard."""

from collections.abc import Callable, Sequence


class BadInput(ValueError):
    """An input or setting the user can correct.

    The message is one sentence: what was found, what was expected, where (file, key or setting), and what to do. `setting`
    is what corrects it, by the engine's name for it (`mask_channel`), or several; each host spells it in its own way. The CLI
    prints the sentence and exits with code 2, and a node shows it.
    """

    def __init__(self, message: str, *, setting: str | Sequence[str] = ()) -> None:
        super().__init__(message)
        self.settings = tuple(filter(None, (setting,) if isinstance(setting, str) else setting))

    def naming(self, spelled: Callable[[str], str], lead: str = "") -> str:
        """The sentence with the settings as `spelled`, "... use at least 1 (--steps)."; one that it spells as "" is left out.

        `lead` stands before them.
        """
        text, names = str(self), ", ".join(filter(None, map(spelled, self.settings)))
        return f"{text.removesuffix('.')} ({lead}{names})." if names else text
