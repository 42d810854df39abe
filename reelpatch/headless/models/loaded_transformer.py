"""A transformer as a run has it: with what is on it, and where it lies."""

from dataclasses import dataclass

from torch import nn

from reelpatch.headless.models.lora import AppliedLora
from reelpatch.headless.models.placement import Placement


@dataclass(frozen=True)
class LoadedTransformer:
    """A backbone, its edit module where the recipe has one, and the LoRAs on both; and how they lie on the card."""

    backbone: nn.Module
    module: nn.Module | None
    loras: tuple[AppliedLora, ...]
    placement: Placement | None
    is_low_noise: bool = False

    def at_step(self, step: int, num_steps: int) -> None:
        """Sets the LoRAs to their strengths at a step."""
        for lora in self.loras:
            lora.at_step(step, num_steps)
