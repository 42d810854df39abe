"""A LoRA as somebody chose it, before any of its weights are read."""

from dataclasses import dataclass
from pathlib import Path

from reelpatch.errors import BadInput
from reelpatch.sampling.strengths import StrengthSchedule
from reelpatch.weights.header import Kind
from reelpatch.weights.weight_files import expect_weights


@dataclass(frozen=True)
class ChosenLora:
    """A LoRA file that someone asked for, and how strong it is to be."""

    path: Path
    strengths: StrengthSchedule

    def check(self, num_steps: int, *, merged: bool) -> None:
        """Raises: `BadInput` for another kind of file, and for strengths that such a run can't have."""
        expect_weights(self.path, Kind.LORA)
        self.strengths.at(0, num_steps)
        if merged and not self.strengths.is_constant:
            raise BadInput(
                f"the LoRA {self.path} has strengths that change from step to step, which merged weights cannot: "
                "give it one strength, or leave it beside the weights (without --lora-merge)."
            )
