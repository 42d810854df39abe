"""How work says how far it is."""

from collections.abc import Callable

# (what is being done, how much of it is done, out of how much)
OnProgress = Callable[[str, int, int], None]


def silent(_stage: str, _done: int, _total: int) -> None:
    """Progress that nobody watches."""
