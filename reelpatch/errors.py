"""The one exception that is meant for the person at the keyboard."""


class BadInput(ValueError):
    """An input or setting the user can correct.

    The message is one sentence: what was found, what was expected, where (file, key or setting), and what
    to do. A node shows it as it stands; the CLI prints it and exits with code 2. Where the engine speaks of a setting,
    the message has its plain name, and `option` what the CLI calls it, which is printed by the CLI alone.
    """

    def __init__(self, message: str, *, option: str = "") -> None:
        super().__init__(message)
        self.option = option

    def on_command_line(self) -> str:
        """The sentence with the option that corrects it: "... use at least 1 (--steps)."."""
        text = str(self)
        return f"{text.removesuffix('.')} ({self.option})." if self.option else text
