"""One recipe with its models, kept loaded from edit to edit: frames in, edited frames out."""

import gc
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import WanTransformer3DModel
from torch import Tensor, nn

from reelpatch.clips.context import build_context, trim_references
from reelpatch.clips.finish import paste_back
from reelpatch.clips.frames import FitPlan, as_clip, fit, fit_mask, plan_fit, restore
from reelpatch.clips.masks import check_mask
from reelpatch.edits.vace import VaceContext, VaceEdit, VaceModule
from reelpatch.errors import BadInput
from reelpatch.geometry import LATENT_CHANNELS, latent_shape
from reelpatch.headless.loading import load_backbone, load_module
from reelpatch.headless.lora import AppliedLora, ChosenLora, LoraReport, apply_lora, merge_lora
from reelpatch.headless.model_files import RecipeFiles
from reelpatch.headless.text import load_text_encoder
from reelpatch.headless.transformer import Denoiser
from reelpatch.headless.vae import Vae, load_vae
from reelpatch.recipes import Recipe
from reelpatch.sampling.schedules import make_sigmas
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
class _Transformer:
    backbone: WanTransformer3DModel
    module: VaceModule
    loras: tuple[AppliedLora, ...]

    def at_step(self, step: int, num_steps: int) -> None:
        for lora in self.loras:
            lora.at_step(step, num_steps)


class Editor:
    """Edits clips with one recipe; weights are read when first needed and kept.

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
            lora.check(recipe.steps, merged=merge_loras)
        self.device = choose_device(device)
        self.dtype = choose_dtype(dtype, self.device, self.files.backbone)
        self._texts: dict[str, Tensor] = {}
        self._encode_text: Callable[[str], Tensor] | None = None
        self._vae: Vae | None = None
        self._transformer: _Transformer | None = None

    def edit(
        self,
        clip: Tensor,
        instruction: str,
        *,
        mask: Tensor | None = None,
        references: Sequence[Tensor] = (),
        seed: int = 0,
        plan: FitPlan | None = None,
        on_progress: OnProgress = silent,
    ) -> Tensor:
        """The edited clip, at the size and length of the source; pixels outside the mask are the source's.

        Shapes: clip [F, H, W, 3], mask [F, H, W], references [h, w, 3 | 4], all in [0, 1]; result as the clip.
        Guarantees: the same seed gives the same noise on every device.
        Raises: `BadInput` for what does not fit the model, NaN weights or latents, and too little memory.
        """
        edited = self.render(
            clip,
            instruction,
            mask=mask,
            references=references,
            seed=seed,
            plan=plan,
            on_progress=on_progress,
        )
        return edited if mask is None else paste_back(edited, clip, mask)

    def render(
        self,
        clip: Tensor,
        instruction: str,
        *,
        mask: Tensor | None = None,
        references: Sequence[Tensor] = (),
        seed: int = 0,
        plan: FitPlan | None = None,
        on_progress: OnProgress = silent,
    ) -> Tensor:
        """As `edit`, but as the model made it: outside the mask, pixels have been through the VAE."""
        check_instruction(instruction)
        plan = plan or plan_fit(*clip.shape[:3])
        if mask is not None:
            check_mask(mask, *clip.shape[:3])
        with told_when_memory_ends(self.device):
            positive = self._text(instruction, on_progress)
            negative = self._negative(on_progress)
            context = self._context(fit(clip, plan), mask, references, plan, on_progress)
            shape = latent_shape(plan.frames, plan.size, references=len(references))
            denoiser = self._denoiser(positive, negative, context, on_progress)
            latents = self._sample(denoiser, seeded_latents(shape, seed), seed, on_progress)
            on_progress("decoding", 0, 1)
            video = self._loaded_vae().decode(trim_references(latents, len(references)))
            on_progress("decoding", 1, 1)
        return restore(as_clip(video.cpu()), plan, clip)

    def _text(self, text: str, on_progress: OnProgress) -> Tensor:
        if text not in self._texts:
            on_progress("reading the instruction", 0, 1)
            self._texts[text] = self._encoder()(text)
            if self.files.text_encoder.stat().st_size > KEPT_ENCODER_BYTES:
                self._encode_text = None
                _free_memory()
            on_progress("reading the instruction", 1, 1)
        return self._texts[text]

    def _encoder(self) -> Callable[[str], Tensor]:
        if self._encode_text is None:
            # fp16 overflows in UMT5.
            dtype = torch.bfloat16 if self.dtype == torch.float16 else self.dtype
            encoder = load_text_encoder(self.files.text_encoder, dtype=dtype, device=self.device)
            self._encode_text = lambda text: encoder.embed(text).cpu()
        return self._encode_text

    def _negative(self, on_progress: OnProgress) -> Tensor | None:
        if not any(self.recipe.guidance.enabled(step) for step in range(self.recipe.steps)):
            return None
        return self._text(self.recipe.negative_prompt, on_progress)

    def _context(
        self,
        clip: Tensor,
        mask: Tensor | None,
        references: Sequence[Tensor],
        plan: FitPlan,
        on_progress: OnProgress,
    ) -> Tensor:
        on_progress("encoding the clip", 0, 1)
        height, width = plan.size
        context = build_context(
            clip,
            None if mask is None else fit_mask(mask, plan),
            references,
            self._loaded_vae().encode,
            frames=plan.frames,
            height=height,
            width=width,
        )
        on_progress("encoding the clip", 1, 1)
        return context

    def _denoiser(
        self, positive: Tensor, negative: Tensor | None, context: Tensor, on_progress: OnProgress
    ) -> Denoiser:
        models = self._loaded_transformer(on_progress)
        recipe = self.recipe
        return Denoiser(
            models.backbone,
            positive,
            make_sigmas(recipe.schedule, recipe.steps, shift=recipe.shift),
            negative=negative,
            edits=[VaceEdit(models.module, [VaceContext(context, recipe.strength, recipe.window)])],
            guidance=recipe.guidance,
            skip_layers=recipe.skip_layers,
            on_step=models.at_step,
        )

    def _sample(self, denoiser: Denoiser, noise: Tensor, seed: int, on_progress: OnProgress) -> Tensor:
        num_steps = denoiser.num_steps
        on_progress("denoising", 0, num_steps)
        latents = SOLVERS[self.recipe.solver](
            denoiser,
            noise[None].to(self.device),
            denoiser.sigmas,
            extra_args={"seed": seed},
            callback=lambda state: on_progress("denoising", state["i"] + 1, num_steps),
            **self.recipe.solver_options,
        )
        return latents[0]

    def _loaded_vae(self) -> Vae:
        if self._vae is None:
            self._vae = load_vae(self.files.vae, device=self.device)
        return self._vae

    def _loaded_transformer(self, on_progress: OnProgress) -> _Transformer:
        if self._transformer is None:
            on_progress("loading the backbone", 0, 1)
            backbone = load_backbone(self.files.backbone, dtype=self.dtype, device=self.device)
            module = load_module(self.files.module, dtype=self.dtype, device=self.device)
            self._transformer = _Transformer(backbone, module, self._add_loras(backbone, module))
            on_progress("loading the backbone", 1, 1)
        return self._transformer

    def _add_loras(self, *models: nn.Module) -> tuple[AppliedLora, ...]:
        if self.merge_loras:
            merged = (merge_lora(models, lora.path, lora.strengths.values[0]) for lora in self.loras)
            self.lora_reports = tuple(merged)
            return ()
        applied = tuple(apply_lora(models, lora.path, lora.strengths) for lora in self.loras)
        self.lora_reports = tuple(lora.report for lora in applied)
        return applied


def seeded_latents(shape: tuple[int, int, int], seed: int) -> Tensor:
    """Noise [16, frames, rows, columns], drawn on the CPU in fp32, so that a seed means the same everywhere."""
    return torch.randn(LATENT_CHANNELS, *shape, generator=torch.Generator("cpu").manual_seed(seed))


def check_instruction(instruction: str) -> None:
    """Raises: `BadInput` for an instruction without a word in it."""
    if not instruction.strip():
        raise BadInput("the instruction is empty: say what is to change, such as 'make the circle blue'.")


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
