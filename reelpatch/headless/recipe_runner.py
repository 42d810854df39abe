"""One recipe with its models, kept loaded from run to run: what editing and enhancing have in common."""

import gc
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import WanTransformer3DModel
from torch import Tensor, nn

from reelpatch.edits.vace import VaceModule
from reelpatch.errors import BadInput
from reelpatch.headless.loading import load_backbone, load_module
from reelpatch.headless.lora import AppliedLora, ChosenLora, LoraReport, apply_lora, merge_lora
from reelpatch.headless.model_files import RecipeFiles
from reelpatch.headless.text import load_text_encoder
from reelpatch.headless.transformer import Denoiser
from reelpatch.headless.vae import Vae, load_vae
from reelpatch.recipes import Recipe
from reelpatch.sampling.noise import FrameNoise, noise_seed
from reelpatch.sampling.solvers import SOLVERS
from reelpatch.sampling.strengths import StrengthSchedule

# (what is being done, how much of it is done, out of how much)
OnProgress = Callable[[str, int, int], None]
DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
# A text encoder up to this size stays between edits; a larger one leaves before the backbone needs its room.
KEPT_ENCODER_BYTES = 2**30
# CPUs compute faster in fp32 than in bf16, while there is memory for it.
FP32_ON_CPU_BYTES = 4 * 2**30
# As CUDA and MPS say it, and as PyTorch's CPU allocator does.
_OUT_OF_MEMORY = ("out of memory", "DefaultCPUAllocator")


def silent(_stage: str, _done: int, _total: int) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True)
class LoadedTransformer:
    """A backbone, its edit module where the recipe has one, and the LoRAs on both."""

    backbone: WanTransformer3DModel
    module: VaceModule | None
    loras: tuple[AppliedLora, ...]

    def at_step(self, step: int, num_steps: int) -> None:
        """Sets the LoRAs to their strengths at a step."""
        for lora in self.loras:
            lora.at_step(step, num_steps)


class RecipeRunner:
    """The models of one recipe; weights are read when first needed and kept.

    `loras` come on top of the recipe's own; `merge_loras` adds all of them to the weights, to stay there.
    Raises: `BadInput` at once for weight files that are missing or of the wrong kind, and for a device or dtype
    that this machine does not have.
    """

    def __init__(
        self,
        recipe: Recipe,
        models: Path | None = None,
        *,
        device: str = "auto",
        dtype: str = "auto",
        loras: Sequence[ChosenLora] = (),
        merge_loras: bool = False,
    ) -> None:
        self.recipe = recipe
        self.files = RecipeFiles.find(recipe, models)
        of_recipe = (ChosenLora(path, StrengthSchedule((strength,))) for path, strength in self.files.loras)
        self.loras = (*of_recipe, *loras)
        self.merge_loras = merge_loras
        self.lora_reports: tuple[LoraReport, ...] = ()
        for lora in self.loras:
            lora.check(recipe.num_run_steps, merged=merge_loras)
        self.device = choose_device(device)
        self.dtype = choose_dtype(dtype, self.device, self.files.backbone)
        self._texts: dict[str, Tensor] = {}
        self._encode_text: Callable[[str], Tensor] | None = None
        self._vae: Vae | None = None
        self._transformer: LoadedTransformer | None = None

    def text(self, text: str, on_progress: OnProgress = silent) -> Tensor:
        """The embedding of a text, [1, 512, 4096]; texts are remembered."""
        if text not in self._texts:
            on_progress("reading the instruction", 0, 1)
            self._texts[text] = self._encoder()(text)
            if self.files.text_encoder.stat().st_size > KEPT_ENCODER_BYTES:
                self._encode_text = None
                _free_memory()
            on_progress("reading the instruction", 1, 1)
        return self._texts[text]

    def negative(self, on_progress: OnProgress = silent) -> Tensor | None:
        """The embedding of the recipe's negative prompt; None where no step has guidance."""
        if not any(self.recipe.guidance.enabled(step) for step in range(self.recipe.num_run_steps)):
            return None
        return self.text(self.recipe.negative_prompt, on_progress)

    @property
    def vae(self) -> Vae:
        """The VAE."""
        if self._vae is None:
            self._vae = load_vae(self.files.vae, device=self.device)
        return self._vae

    def transformer(self, on_progress: OnProgress = silent) -> LoadedTransformer:
        """Backbone, edit module and LoRAs."""
        if self._transformer is None:
            on_progress("loading the backbone", 0, 1)
            backbone = load_backbone(self.files.backbone, dtype=self.dtype, device=self.device)
            module = None
            if self.files.module is not None:
                module = load_module(self.files.module, dtype=self.dtype, device=self.device)
            models = [model for model in (backbone, module) if model is not None]
            self._transformer = LoadedTransformer(backbone, module, self._add_loras(*models))
            on_progress("loading the backbone", 1, 1)
        return self._transformer

    def sample(
        self,
        denoiser: Denoiser,
        start: Tensor,
        seed: int | FrameNoise,
        on_progress: OnProgress = silent,
        *,
        references: int = 0,
    ) -> Tensor:
        """The latents [16, T, h, w] that the recipe's solver makes of `start`, over the denoiser's sigmas.

        A part of a longer clip adds its part of that clip's noise where the solver adds any.
        """
        num_steps = denoiser.num_steps
        options = dict(self.recipe.solver_options)
        if isinstance(seed, FrameNoise) and self.recipe.solver == "renoise":
            options["noise_sampler"] = seed.sampler(start, references=references)
        on_progress("denoising", 0, num_steps)
        latents = SOLVERS[self.recipe.solver](
            denoiser,
            start[None].to(self.device),
            denoiser.sigmas,
            extra_args={"seed": noise_seed(seed)},
            callback=lambda state: on_progress("denoising", state["i"] + 1, num_steps),
            **options,
        )
        return latents[0]

    def _encoder(self) -> Callable[[str], Tensor]:
        if self._encode_text is None:
            # fp16 overflows in UMT5.
            dtype = torch.bfloat16 if self.dtype == torch.float16 else self.dtype
            encoder = load_text_encoder(self.files.text_encoder, dtype=dtype, device=self.device)
            self._encode_text = lambda text: encoder.embed(text).cpu()
        return self._encode_text

    def _add_loras(self, *models: nn.Module) -> tuple[AppliedLora, ...]:
        if self.merge_loras:
            merged = (merge_lora(models, lora.path, lora.strengths.values[0]) for lora in self.loras)
            self.lora_reports = tuple(merged)
            return ()
        applied = tuple(apply_lora(models, lora.path, lora.strengths) for lora in self.loras)
        self.lora_reports = tuple(lora.report for lora in applied)
        return applied


def choose_device(name: str) -> torch.device:
    """The device of that name; `auto` is the first CUDA device, else the CPU.

    Raises: `BadInput` for one that is unknown or not in this machine.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise BadInput(
            f"the device '{name}' cannot be used ({reason}): use cpu, cuda or auto (--device)."
        ) from error
    return device


def choose_dtype(name: str, device: torch.device, backbone: Path) -> torch.dtype:
    """The dtype of that name; `auto` is bf16, but fp32 on CPUs where the backbone is small enough for it.

    Raises: `BadInput` for an unknown one.
    """
    if name == "auto":
        is_small = backbone.stat().st_size <= FP32_ON_CPU_BYTES
        return torch.float32 if device.type == "cpu" and is_small else torch.bfloat16
    if name not in DTYPES:
        raise BadInput(f"there is no dtype '{name}': use {', '.join(DTYPES)} or auto (--dtype).")
    return DTYPES[name]


@contextmanager
def told_when_memory_ends(device: torch.device) -> Generator[None]:
    """Turns an allocation that failed inside into a `BadInput` that says what to lower."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:  # torch.OutOfMemoryError is a RuntimeError
        if not isinstance(error, MemoryError) and not any(words in str(error) for words in _OUT_OF_MEMORY):
            raise
        raise BadInput(
            f"the memory of {device} is not enough for this edit: lower --size or --frames, "
            "or use weights of a smaller dtype (fp8 files, --dtype bf16)."
        ) from error


def _free_memory() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
