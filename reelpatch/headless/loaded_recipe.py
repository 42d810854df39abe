"""One recipe with its models, kept loaded from run to run: what editing and enhancing have in common."""

import logging
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast

import torch
from torch import Tensor, nn

from reelpatch.edits.work import ModuleWork
from reelpatch.headless.hosts.denoiser import Denoiser, ExpertSwitch, OnStep
from reelpatch.headless.hosts.ranks.sharing import Sharing, shared_by
from reelpatch.headless.hosts.ranks.torchrun import check_shareable
from reelpatch.headless.hosts.wan_pieces import work_in_pieces
from reelpatch.headless.models.chosen_lora import ChosenLora
from reelpatch.headless.models.chosen_recipe import AskedModels, ChosenRecipe, RunKind
from reelpatch.headless.models.embedded_texts import free_memory
from reelpatch.headless.models.encoded_clips import EncodedClips
from reelpatch.headless.models.family_models import (
    Looking,
    TextReader,
    VideoVae,
    open_texts,
    start_models,
)
from reelpatch.headless.models.float8_products import multiply_in_float8
from reelpatch.headless.models.loaded_transformer import LoadedTransformer
from reelpatch.headless.models.lora import AppliedLora, LoraReport, apply_lora, merge_lora
from reelpatch.headless.models.machine_options import MachineOptions
from reelpatch.headless.models.out_of_memory import OutOfMemory, explain_out_of_memory
from reelpatch.headless.models.placement import Placement, place
from reelpatch.headless.models.read_ahead import ReadAhead
from reelpatch.headless.models.recipe_files import RecipeFiles
from reelpatch.headless.models.start_times import StartTimes
from reelpatch.headless.models.streaming import stream_blocks
from reelpatch.headless.models.wan_transformer import load_module
from reelpatch.plan.job import Job
from reelpatch.progress import OnProgress, silent
from reelpatch.recipes import Recipe
from reelpatch.sampling.guidance import Guidance
from reelpatch.sampling.noise import FrameNoise, noise_seed
from reelpatch.sampling.schedules import high_noise_steps
from reelpatch.sampling.solvers import SOLVERS, Between
from reelpatch.sampling.strengths import StrengthSchedule

_log = logging.getLogger(__name__)

Loaded = TypeVar("Loaded", bound="LoadedRecipe")
Made = TypeVar("Made")

# Where the card's memory ended, the plan is made for so much of it, again and again down to half.
SMALLER = 0.85


class LoadedRecipe(ChosenRecipe):
    """The models of one recipe; weights are read when first needed and kept.

    Each run begins with `prepare`. Blocks for which the card has no room are sent to it as they run, and leave it
    before decoding, as the VAE does while denoising; a large text encoder never shares it with the transformer.
    Raises: `BadInput` at once as `ChosenRecipe`.
    Where it `is_shared`, the processes that torchrun starts make its latents together.
    """

    kind: ClassVar[RunKind]
    is_shared: ClassVar[bool] = False

    def __init__(
        self,
        recipe: Recipe,
        models: Path | None = None,
        *,
        device: str = "auto",
        dtype: str = "auto",
        loras: Sequence[ChosenLora] = (),
        merge_loras: bool = False,
        machine: MachineOptions = MachineOptions(),
    ) -> None:
        self.start = StartTimes()
        self.sharing: Sharing | None = None
        asked = AskedModels(models, device, dtype, tuple(loras), merge_loras, machine)
        super().__init__(self.kind, recipe, asked)
        self.work = recipe.edit_kind.start_work()
        self.family = start_models(recipe.model_family)
        self.lora_reports: tuple[LoraReport, ...] = ()
        self._placement: Placement | None = None
        self._job: Job | None = None  # that `prepare` was asked for
        self._room = self.card_bytes  # less, where the card's memory has ended
        self.texts: TextReader = open_texts(
            recipe.model_family, self.files, dtype=self.dtype, device=self.device, is_kept=machine.keeps_texts
        )
        self.look = Looking(self.family, self.files.clip_vision)
        self._vae: VideoVae | None = None
        self._encoded = EncodedClips()
        self._ahead = ReadAhead(self._in_order_of_use())
        self._transformer: LoadedTransformer | None = None

    def find_files(self) -> RecipeFiles:
        """As `ChosenRecipe`, timed."""
        with self.start.of("files"):
            return super().find_files()

    def own_device(self, name: str) -> str:
        """Of the processes that torchrun starts, each has its own."""
        if self.is_shared:
            self.sharing = shared_by(self.recipe, self.files, self.machine.parallel)
        return name if self.sharing is None else self.sharing.device(name)

    def adapt(self, backbone: nn.Module) -> None:
        """Changes a backbone that was just loaded, where what the recipe does needs it."""

    def under(self: Loaded, recipe: Recipe) -> Loaded:
        """The same models, for runs by other settings of their recipe. Raises: `BadInput` as for a new one."""
        was_at_work = bool(self.recipe.strength)
        if self.sharing is not None:
            check_shareable(recipe)
        super().under(recipe)
        if bool(recipe.strength) != was_at_work:
            self._drop_transformer()  # in which an edit adapter may have changed the backbone
        return self

    def prepare(self, frames: int, size: tuple[int, int], references: int = 0) -> None:
        """Finds out what stays on the card in a run on frames of that size, (height, width) in pixels.

        Raises: `BadInput` for a run that does not fit the limit that was asked for.
        """
        cards = 1 if self.sharing is None else self.sharing.ranks.count
        self._job = Job(self.recipe, frames, size, references, cards=cards)
        if self.card_bytes is None or self._room is None:
            return
        is_limited = self.machine.vram_limit is not None
        self._placement = self._place(self._job, self.card_bytes, is_limited=is_limited)
        if self._room < self.card_bytes:
            self._placement = self._place(self._job, self._room)

    def _place(self, job: Job, card: int, *, is_limited: bool = False) -> Placement:
        loras = [lora.path for lora in self.loras]
        dtypes = {"dtype": self.dtype, "vae_dtype": self.vae_dtype}
        return place(job, self.files, loras, **dtypes, card=card, is_limited=is_limited)

    def with_room(self, run: Callable[[], Made]) -> Made:
        """What `run` returns; where the card's memory ends in it, it runs again with more of the weights streamed.

        What other programs hold of the card, and what an allocator loses, is in no plan. The result is the same one, but for rounding
        where blocks then run over shorter pieces. `run` comes after `prepare`, and begins from nothing.
        Raises: `OutOfMemory` where that does not help.
        """
        room = self._room
        while True:
            try:
                with explain_out_of_memory(self.device):
                    return run()
            except OutOfMemory:
                if not self._leaves_more_room():
                    self._room = room  # a run that fits in no way says nothing of the next one,
                    self._drop_transformer()  # and leaves it the card
                    raise
            # Not within the exception, which holds what the run had on the card.
            self._vae = None
            self._drop_transformer()
            free_memory()
            assert self._placement is not None
            _log.warning(
                "The memory of %s ended: it begins again. %s", self.device, self._placement.describe()
            )

    def _leaves_more_room(self) -> bool:
        """Whether a plan for a smaller card, of half its bytes or more, is another one; it is then the plan."""
        if (
            self.card_bytes is None
            or self._room is None
            or self._job is None
            or self._placement is None
            or self.sharing is not None
        ):
            return False
        before = (self._placement, self._placement.piece)
        while self._room * SMALLER > self.card_bytes // 2:
            self._room = int(self._room * SMALLER)
            after = self._place(self._job, self._room)
            if (after, after.piece) != before:
                self._placement = after
                return True
        return False

    @property
    def placement(self) -> Placement | None:
        """What of the weights stays on the card, as `prepare` found; None where there is no card."""
        return self._placement

    def place_as(self, placement: Placement | None) -> None:
        """Has weights lie as another process found out, in place of `prepare`."""
        self._placement = placement

    def text(self, text: str, on_progress: OnProgress = silent) -> Any:
        """The embedding of a text, [1, 512, 4096] where UMT5 made it; texts are remembered."""
        placement = self._placement
        self._ahead.begin()
        with self.start.of("text"):
            return self.texts.embed(
                text,
                is_streamed=placement is not None and placement.is_text_streamed,
                make_room=self._drop_transformer,
                on_work=lambda done: on_progress("reading the instruction", done, 1),
            )

    def negative(self, guidance: Guidance, on_progress: OnProgress = silent) -> Any:
        """The embedding of the recipe's negative prompt; None where no step has guidance."""
        if not any(guidance.enabled(step) for step in range(self.recipe.num_run_steps)):
            return None
        return self.text(self.recipe.negative_prompt, on_progress)

    @property
    def vae(self) -> VideoVae:
        """The VAE."""
        if self._vae is None:
            with self.start.of("vae"):
                self._vae = self.family.load_vae(self.files.vae, dtype=self.vae_dtype, device=self.device)
        self._vae.work_in_tiles(self._placement is not None and self._placement.is_vae_tiled)
        return self._vae

    def encode(self, video: Tensor) -> Tensor:
        """The VAE's latents of a video, as `VideoVae`; the VAE is not needed for one that was encoded before."""
        is_tiled = self._placement is not None and self._placement.is_vae_tiled
        return self._encoded.latents(video, is_tiled, lambda: self.vae.encode(video))

    def transformer(
        self, on_progress: OnProgress = silent, *, is_low_noise: bool = False
    ) -> LoadedTransformer:
        """Backbone, edit module and LoRAs; of two experts, one is held at a time."""
        if self._placement is not None and self._placement.is_streamed:
            self._vae = None  # until it is asked for again
            free_memory()
        held = self._transformer
        if held is None or held.placement != self._placement or held.is_low_noise != is_low_noise:
            del held
            self._drop_transformer()
            doing = "loading the low-noise backbone" if is_low_noise else "loading the backbone"
            on_progress(doing, 0, 1)
            with self.start.of("weights"):
                self._transformer = self._load_transformer(self._placement, is_low_noise=is_low_noise)
            on_progress(doing, 1, 1)
        assert self._transformer is not None
        if self._placement is not None:
            work_in_pieces(self._transformer.backbone, self._placement.piece)
        return self._transformer

    @property
    def layers_held(self) -> list[weakref.ref[nn.Module]]:
        """Every layer of backbone and edit module, by references that do not hold them; none where they are not loaded."""
        held = self._transformer
        models = () if held is None else filter(None, (held.backbone, held.module))
        return [weakref.ref(layer) for model in models for layer in model.modules()]

    def switch(self, sigmas: Tensor, on_progress: OnProgress = silent) -> ExpertSwitch | None:
        """What a run over these sigmas needs to go on with the low-noise expert; None where there is one model for all."""
        boundary = self.recipe.expert_boundary
        if not self.recipe.has_two_experts or boundary is None:
            return None

        def load() -> tuple[nn.Module, OnStep]:
            low = self.transformer(on_progress, is_low_noise=True)
            return low.backbone, low.at_step

        return ExpertSwitch(high_noise_steps(sigmas, boundary), load, self.recipe.low_noise_guidance)

    def make_room_for_decoding(self) -> None:
        """Takes a transformer off the card that does not lie there whole; nothing may refer to it any more."""
        if self._placement is not None and self._placement.is_streamed:
            self._drop_transformer()

    def sample(
        self,
        denoiser: Denoiser,
        start: Tensor,
        seed: int | FrameNoise,
        on_progress: OnProgress = silent,
        *,
        references: int = 0,
        between: Between | None = None,
        over: Tensor | None = None,
    ) -> Tensor:
        """The latents [C, T, h, w] that the recipe's solver makes of `start`, over the denoiser's sigmas, or `over` a part of them.

        `between` is called before each step, as solvers offer it. A part of a longer clip adds its part of that clip's noise
        where the solver adds any. Several rows [B, C, T, h, w] are made in one batch.
        """
        rows = start if start.ndim == 5 else start[None]
        sigmas = denoiser.sigmas if over is None else over
        num_steps = len(sigmas) - 1
        options = dict(self.recipe.solver_options) | {"between": between}
        if isinstance(seed, FrameNoise) and self.recipe.solver == "renoise":
            options["noise_sampler"] = seed.sampler(rows, references=references)
        on_progress("denoising", 0, num_steps)
        self.start.step_begins()

        def after_step(state: Any) -> None:
            self.start.step_ends()
            on_progress("denoising", state["i"] + 1, num_steps)

        made = SOLVERS[self.recipe.solver](
            denoiser,
            rows.to(self.device),
            sigmas,
            extra_args={"seed": noise_seed(seed)},
            callback=after_step,
            **options,
        )
        return made if start.ndim == 5 else made[0]

    def _in_order_of_use(self) -> list[Path]:
        """The files of a run's first steps; the low-noise expert comes long after."""
        files = self.files
        used = (files.text_encoder, files.vae, files.backbone, files.module)
        return [*(path for path in used if path is not None), *(lora.path for lora in self.loras)]

    def _load_transformer(
        self, placement: Placement | None, *, is_low_noise: bool = False
    ) -> LoadedTransformer:
        is_streamed = placement is not None and placement.is_streamed
        device = torch.device("cpu") if is_streamed else self.device
        kinds = self.recipe.files_for("backbone")[0].kinds
        path = self.files.low_noise if is_low_noise else self.files.backbone
        assert path is not None
        backbone = self.family.load_backbone(path, dtype=self.dtype, device=device, kinds=kinds)
        self.adapt(backbone)
        if attention := self.family.choose_attention(backbone, self.device, self.dtype):
            _log.info("%s", attention)
        module = None
        if self.files.module is not None:
            module = load_module(
                self.files.module, cast(ModuleWork, self.work), dtype=self.dtype, device=device
            )
        models = [backbone] if module is None else [backbone, module]
        if self.machine.float8_products:
            _log.info("%d layers are multiplied in fp8.", multiply_in_float8(models))
        loras = self._add_loras(*models)
        if placement is not None and is_streamed:
            _log.info("%s", placement.describe())
            self._stream(backbone, module, placement.resident_blocks)
        if self.sharing is not None:
            self.sharing.spread(backbone, self.device)
        return LoadedTransformer(backbone, module, loras, placement, is_low_noise)

    def _stream(self, backbone: nn.Module, module: nn.Module | None, resident: int) -> None:
        """Leaves all but the first `resident` blocks, the backbone's before the module's, where they are."""
        main = self.family.blocks_of(backbone)
        stream_blocks(backbone, list(main[resident:]), self.device)
        if module is not None:
            stacks = [part for part in module.children() if isinstance(part, nn.ModuleList)]
            of_module = [block for stack in stacks for block in stack]
            stream_blocks(module, of_module[max(0, resident - len(main)) :], self.device)

    def _drop_transformer(self) -> None:
        if self._transformer is not None:
            layers = self.layers_held
            self._transformer = None
            free_memory(layers)

    def _add_loras(self, *models: nn.Module) -> tuple[AppliedLora, ...]:
        loras = (*self._lora_within(), *self.loras)
        if self.merge_loras:
            merged = (merge_lora(models, lora.path, lora.strengths.values[0]) for lora in loras)
            self.lora_reports = tuple(merged)
            return ()
        applied = tuple(apply_lora(models, lora.path, lora.strengths) for lora in loras)
        self.lora_reports = tuple(lora.report for lora in applied)
        return applied

    def _lora_within(self) -> tuple[ChosenLora, ...]:
        """What an edit adapter changes in the backbone, while it is at work."""
        if not self.files.has_lora_within or not self.recipe.strength:
            return ()
        assert self.files.module is not None
        return (ChosenLora(self.files.module, StrengthSchedule((1.0,))),)
