"""How long it takes until a run makes its first step, and which part of it what takes."""

import time
from collections.abc import Generator
from contextlib import contextmanager

import psutil

PARTS = ("files", "text", "vae", "weights", "first_step")


class StartTimes:
    """Seconds up to the end of the first step: finding files, embedding texts, loading VAE and transformer, and that step.

    What else is done until then (imports, looking through the clip, encoding it) is in the whole alone.
    """

    def __init__(self) -> None:
        self._seconds: dict[str, float] = dict.fromkeys(PARTS, 0.0)
        self._step_began: float | None = None
        self._whole: float | None = None

    @contextmanager
    def of(self, part: str) -> Generator[None]:
        """Counts what is done within, until the first step is over."""
        began = time.monotonic()
        try:
            yield
        finally:
            if self._whole is None:
                self._seconds[part] += time.monotonic() - began

    def step_begins(self) -> None:
        """The first call is that of the first step."""
        if self._step_began is None:
            self._step_began = time.monotonic()

    def step_ends(self) -> None:
        """As `step_begins`."""
        if self._whole is None and self._step_began is not None:
            self._seconds["first_step"] = time.monotonic() - self._step_began
            self._whole = time.time() - psutil.Process().create_time()

    def as_dict(self) -> dict[str, float | None]:
        """In seconds; the whole counts from the start of the process, None before a step was made."""
        parts: dict[str, float | None] = {f"{part}_s": round(self._seconds[part], 3) for part in PARTS}
        return parts | {"process_to_first_step_s": None if self._whole is None else round(self._whole, 3)}
