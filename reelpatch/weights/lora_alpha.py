"""How strong a LoRA's pairs are by themselves: alpha over rank, and where files keep their alpha."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reelpatch.errors import BadInput

METADATA_KEY = "lora_adapter_metadata"
"""Where diffusers puts the configuration of PEFT in a file's own metadata."""


@dataclass(frozen=True)
class PeftConfig:
    """What PEFT keeps beside its tensors: one alpha, other ones for some layers, and the rank (0 where it is not told).

    Source: PEFT's `LoraConfig`, and `LoHaConfig` and `LoKrConfig`, which call it `alpha`, as in `adapter_config.json`; a
    layer's own alpha is found by the end of its name.
    """

    alpha: float
    layer_alphas: Mapping[str, float] = field(default_factory=dict[str, float])
    is_rank_stabilised: bool = False
    rank: int = 0

    @classmethod
    def from_json(cls, text: str, source: str) -> "PeftConfig | None":
        """The configuration in `text`; None where it names no alpha.

        Raises: `BadInput` naming `source` where it is damaged.
        """
        try:
            values = {_last(key): value for key, value in dict[str, Any](json.loads(text)).items()}
            alpha = values.get("lora_alpha", values.get("alpha"))
            if alpha is None:
                return None
            layer_alphas = dict[str, float](values.get("alpha_pattern") or {})
            config = cls(
                float(alpha),
                {str(layer): float(own) for layer, own in layer_alphas.items()},
                bool(values.get("use_rslora")),
                max(0, int(values.get("r") or 0)),
            )
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise BadInput(
                f"The LoRA settings in {source} are damaged ({error}); get them again, or remove them."
            ) from error
        if not all(map(math.isfinite, (config.alpha, *config.layer_alphas.values()))):
            raise BadInput(f"The LoRA settings in {source} hold an alpha that is no number; get them again.")
        return config

    def scale(self, layer: str, rank: int) -> float:
        """What the product of a pair of this rank is multiplied with; `layer` as the file spells it."""
        own = (alpha for name, alpha in self.layer_alphas.items() if f".{layer}".endswith(f".{name}"))
        return next(own, self.alpha) / (math.sqrt(rank) if self.is_rank_stabilised else rank)


def _last(key: str) -> str:
    # diffusers puts the component's name before each setting: `transformer.lora_alpha`.
    return key.removeprefix("transformer.")
