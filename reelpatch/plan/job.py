"""What an edit asks of the models: its tokens, its passes, and their FLOPs."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from reelpatch.edits.reasoning.settings import PAIR
from reelpatch.errors import BadInput
from reelpatch.families.counts import Flops
from reelpatch.families.lattice import TokenGrid
from reelpatch.plan.models import Models
from reelpatch.recipes import Recipe
from reelpatch.sampling.condition_sets import Sees


@dataclass(frozen=True)
class Pass:
    """One forward of the backbone: how many blocks it goes around, how many contexts speak, whether of a picture's film only
    the picture and its edit are left, which segments it is shown, at which noise two clips share attention, if they do, and whether it is made at half the size.
    """

    skipped_blocks: int
    contexts: int
    is_pair: bool = False
    sees: Sees = Sees.ALL
    shared_at: float | None = None
    is_half: bool = False


@dataclass(frozen=True)
class Job:
    """One edit of one clip by a recipe, whose steps, guidance and window count.

    `contexts` is how many edits run at once (each reads a context of its own through the same edit module), and `cards` how
    many cards share every forward.
    Units: `size` is (height, width) in pixels.
    Raises: `BadInput` for sizes, lengths and counts that are not legal.
    """

    recipe: Recipe
    frames: int
    size: tuple[int, int]
    references: int = 0
    contexts: int = 1
    cards: int = 1

    def __post_init__(self) -> None:
        self.recipe.lattice.latent_shape(self.frames, self.size)  # refuses what is not legal
        if self.recipe.picture is not None and self.frames != self.recipe.frames:
            raise BadInput(
                f"the recipe '{self.recipe.name}' works on {self.recipe.frames} frames for each picture, not on {self.frames}: "
                "leave the number of frames out.",
                setting="frames",
            )
        if self.references < 0:
            raise BadInput(
                f"the number of references is {self.references}: use 0 for none, or more.",
                setting="references",
            )
        if self.recipe.segments is not None:
            self.recipe.segments.check_references(self.references, setting="references")
        if self.contexts < 1:
            raise BadInput(
                f"the number of edits that run at once is {self.contexts}: use at least 1.", setting="edits"
            )
        if self.cards < 1:
            raise BadInput(
                f"the number of cards that share the edit is {self.cards}: use at least 1.", setting="cards"
            )
        if self.recipe.steps < 1:
            raise BadInput(
                f"the number of denoising steps is {self.recipe.steps}: use at least 1.", setting="steps"
            )

    @property
    def grid(self) -> TokenGrid:
        """How the sample's own tokens lie; references come first, where they are not beside it, or what grounds it."""
        lattice, layout = self.recipe.lattice, self.recipe.segments
        leading = self.references if layout is None else layout.grounding
        return lattice.grid(*lattice.latent_shape(self.frames, self.canvas, references=leading)[1:])

    @property
    def canvas(self) -> tuple[int, int]:
        """(height, width) in pixels of what is worked on, of which the clip may be a part."""
        height, width = self.size
        return height, width * self.recipe.edit_kind.widths

    @property
    def tokens(self) -> int:
        """How many go through every block at most: the clip's, and those of segments beside it."""
        return self.tokens_seeing(Sees.ALL)

    @property
    def tokens_here(self) -> int:
        """How many of them each card has."""
        return -(-self.tokens // self.cards)

    def sent_bytes(self, models: Models) -> int:
        """What each card sends to the others in one forward, where they exchange heads (Ulysses): of its tokens, in every block,
        queries, keys, values and what was found, but for the heads that it keeps.
        """
        blocks = models.backbone.num_blocks + (models.module.num_blocks if models.module else 0)
        exchanged = 4 * self.rows * self.tokens_here * models.backbone.dim * models.compute_bytes
        return blocks * exchanged * (self.cards - 1) // self.cards

    def tokens_seeing(self, sees: Sees) -> int:
        """How many a pass takes through every block that is shown those segments, references taken as large as the clip."""
        layout = self.recipe.segments
        if layout is None:
            return self.grid.tokens
        clip = self.recipe.lattice.latent_frames(self.frames) * layout.sees_clip
        stills = self.references
        counts = {Sees.NOTHING: 0, Sees.CLIP: clip, Sees.REFERENCES: stills, Sees.ALL: clip + stills}
        return self.grid.tokens + self.grid.tokens // self.grid.frames * counts[sees]

    @property
    def pictures_seen(self) -> int:
        """How many pictures the picture encoder sees, where there is one."""
        layout = self.recipe.channels
        return 1 if layout is None else len(layout.frames_seen(self.frames))

    @property
    def clip_encodes(self) -> int:
        """How many times the VAE goes over the clip: not at all, where none is seen."""
        return self.recipe.edit_kind.clip_encodes * self.recipe.sees_clip

    @property
    def pair_grid(self) -> TokenGrid:
        """The tokens of a picture and its edit, where the frames between them have been dropped."""
        return replace(self.grid, frames=min(self.grid.frames, PAIR))

    @property
    def at_half_size(self) -> "Job":
        """The same job at half the size, at which its first steps may be made."""
        return replace(self, size=self.recipe.lattice.half_size(*self.size))

    @property
    def pixels(self) -> int:
        """Of what is worked on, all frames together."""
        return self.frames * self.canvas[0] * self.canvas[1]

    @property
    def rows(self) -> int:
        """How many clips go through every forward: a source and a target where they share attention."""
        return 1 if self.recipe.sharing is None else 2

    @property
    def streams(self) -> int:
        """How many edits run beside the backbone: none where the recipe has no edit module."""
        return self.contexts if self.recipe.edit_kind.has_module else 0

    @property
    def num_prompts(self) -> int:
        """The instruction, or a caption for each of two clips, and the negative prompt where guidance compares with it."""
        guidance, steps = self.recipe.guidance_for(self.references), range(self.recipe.num_run_steps)
        return self.rows + any(not one.is_instructed for step in steps for one in guidance.chain(step).sets)

    def passes(self) -> Iterator[Pass]:
        """All forwards, in order."""
        recipe, num_steps = self.recipe, self.recipe.steps
        guidance = recipe.guidance_for(self.references)
        dropped_at = recipe.picture.reasoning_steps if recipe.picture else num_steps
        levels = _noise_levels(recipe)
        for step in range(recipe.start_step, num_steps):
            is_active = recipe.strength != 0 and recipe.window.active(step, num_steps)
            contexts = self.streams if is_active else 0
            skip = recipe.skip_layers
            skipped = len(skip.blocks) if skip and skip.active(step, num_steps) else 0
            for one in guidance.chain(step - recipe.start_step).sets:
                sees = one.sees if is_active else Sees.NOTHING
                shared_at = levels[step] if levels and is_active else None
                blocks = 0 if one.is_instructed else skipped
                is_half = step - recipe.start_step < recipe.half_size_steps
                yield Pass(blocks, contexts, step >= dropped_at, sees, shared_at, is_half)

    def pass_flops(self, models: Models, one: Pass) -> Flops:
        """Of one of its forwards."""
        tokens = self.pair_grid.tokens if one.is_pair else self.tokens_seeing(one.sees)
        if one.is_half:
            tokens = self.at_half_size.tokens
        backbone = models.backbone.flops(tokens, skipped_blocks=one.skipped_blocks) * self.rows
        backbone = backbone + self._sharing_flops(models, one)
        return backbone if models.module is None else backbone + models.module.flops(tokens) * one.contexts

    def _sharing_flops(self, models: Models, one: Pass) -> Flops:
        """Of what is read twice as long: a second self-attention in some blocks. Keys that are swapped cost nothing."""
        sharing, backbone = self.recipe.sharing, models.backbone
        if sharing is None or one.shared_at is None:
            return Flops()
        doubled = sharing.doubled_blocks(one.shared_at, backbone.num_blocks)
        each = backbone.flops(self.tokens).self_attention // backbone.num_blocks
        return Flops(self_attention=each * doubled * self.rows)


def _noise_levels(recipe: Recipe) -> list[float]:
    """Of every step of a recipe that shares attention by them; empty for others, which a plan tells without PyTorch."""
    if recipe.sharing is None:
        return []
    from reelpatch.recipes.levels import sigmas_of

    return sigmas_of(recipe).tolist()


@dataclass(frozen=True)
class Work:
    """The FLOPs of a job, stage by stage; `forward` is that of one forward in which every edit acts, and all frames."""

    text: int
    encode: int
    forward: Flops
    denoise: Flops
    decode: int

    @property
    def total(self) -> int:
        return self.text + self.encode + self.denoise.total + self.decode


def count_work(job: Job, models: Models) -> Work:
    """All that the job computes; texts are counted at their greatest length."""
    still = models.vae.encode_flops(1, job.canvas)
    half = job.at_half_size
    coarse = half.clip_encodes * models.vae.encode_flops(half.frames, half.canvas)
    denoise = Flops()
    for one in job.passes():
        denoise = denoise + job.pass_flops(models, one)
    return Work(
        text=job.num_prompts * models.text.flops(models.text.rows),
        encode=job.clip_encodes * models.vae.encode_flops(job.frames, job.canvas)
        + job.references * still
        + (coarse + job.references * models.vae.encode_flops(1, half.canvas))
        * bool(job.recipe.half_size_steps)
        + models.picture.flops * job.pictures_seen,
        forward=_greatest_forward(job, models),
        denoise=denoise,
        decode=_decode_flops(job, models),
    )


def _greatest_forward(job: Job, models: Models) -> Flops:
    if job.recipe.sharing is None:
        return job.pass_flops(models, Pass(0, job.streams))
    return max((job.pass_flops(models, one) for one in job.passes()), key=lambda flops: flops.total)


def _decode_flops(job: Job, models: Models) -> int:
    """The edit of a picture is decoded behind the picture alone, and by itself the way there where that was kept."""
    pair_frames = (PAIR - 1) * job.recipe.lattice.frames_per_latent + 1
    if job.recipe.picture is None or job.grid.frames <= PAIR:
        return models.vae.decode_flops(job.frames, job.canvas)
    pair = models.vae.decode_flops(pair_frames, job.canvas)
    if list(job.passes())[-1].is_pair:
        return pair
    return pair + models.vae.decode_flops(job.frames - pair_frames + 1, job.canvas)
