"""The one exception that is meant for the person at the keyboard."""


class BadInput(ValueError):
    """An input or setting the user can correct.

    The message is one sentence: what was found, what was expected, where (file, key or option), and what
    to do. The CLI prints it and exits with code 2; a node shows it as it stands.
    """
