"""How strong something is at each step of a run."""

import math
from dataclasses import dataclass

from reelpatch.errors import BadInput


@dataclass(frozen=True)
class StrengthSchedule:
    """Strengths that share the steps of a run equally, in order: one is constant, two are its halves.

    With as many values as steps, each step has its own.
    """

    values: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        if not self.values or not all(map(math.isfinite, self.values)):
            raise BadInput(
                f"the strengths {list(self.values)} are not all numbers: give one, such as 0.8, or several that "
                "share the steps of the run, such as 1,0.5,0."
            )

    @property
    def is_constant(self) -> bool:
        """Whether every step has the same strength."""
        return len(set(self.values)) == 1

    def at(self, step: int, num_steps: int) -> float:
        """The strength of a step, counted from 0.

        Raises: `BadInput` for more values than steps, of which some would never be used.
        """
        if len(self.values) > num_steps:
            raise BadInput(
                f"{len(self.values)} strengths were given for a run of {num_steps} steps: give that many at most."
            )
        return self.values[step * len(self.values) // num_steps]
