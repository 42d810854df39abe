"""What a person says of how a recipe is to run on this machine."""

from dataclasses import dataclass


@dataclass(frozen=True)
class MachineOptions:
    """How much of a card a run may use, in GiB (None: all of it), whether embedded texts are kept on disk, whether fp8
    weights are multiplied in fp8 instead of being widened, how the processes of torchrun share a clip, one of `WAYS`, and what
    the VAE computes in: fp32, bf16 or fp16.
    """

    vram_limit: float | None = None
    keeps_texts: bool = False
    float8_products: bool = False
    parallel: str | None = None
    vae_dtype: str = "fp32"
