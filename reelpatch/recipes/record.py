"""What a recipe records of a published method, and of each weight file it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from reelpatch.edits.registry import EDIT_KINDS
from reelpatch.errors import BadInput
from reelpatch.families.kinds import FileKind, Kind
from reelpatch.families.registry import FAMILIES
from reelpatch.sampling.step_range import StepRange, check_half_size_steps

if TYPE_CHECKING:  # a recipe brings the settings of its own method alone
    from reelpatch.edits.canvas.layout import PairCanvas
    from reelpatch.edits.channels.layout import ChannelLayout
    from reelpatch.edits.kind import EditKind
    from reelpatch.edits.reasoning.settings import PictureEdit
    from reelpatch.edits.segments.layout import SegmentLayout
    from reelpatch.edits.sharing.schedule import SharingMethod
    from reelpatch.families.family import Family
    from reelpatch.families.lattice import Lattice
    from reelpatch.recipes.buckets import SizeBuckets
    from reelpatch.sampling.guidance import Guidance, SkipLayers

Role = Literal[
    "backbone", "low_noise", "module", "lora", "vae", "text_encoder", "glyph_encoder", "clip_vision"
]
FOLDERS: dict[Role, str] = {
    "backbone": "diffusion_models",
    "low_noise": "diffusion_models",
    "module": "diffusion_models",
    "lora": "loras",
    "vae": "vae",
    "text_encoder": "text_encoders",
    "glyph_encoder": "text_encoders",
    "clip_vision": "clip_vision",
}
KINDS: dict[Role, tuple[Kind, ...]] = {
    "backbone": (Kind.BACKBONE, Kind.VACE),
    "low_noise": (Kind.BACKBONE, Kind.VACE),
    "module": (Kind.EDIT_MODULE, Kind.VACE),
    "lora": (Kind.LORA,),
    "vae": (Kind.VAE21,),
    "text_encoder": (Kind.UMT5,),
    "glyph_encoder": (Kind.OTHER_TEXT_ENCODER,),
    "clip_vision": (Kind.CLIP_VISION,),
}


SHIPPED_PREFIX = "reelpatch_demo_"
"""How the names of all files begin that come with this package."""


@dataclass(frozen=True)
class WeightFile:
    """A file a recipe needs, in a models folder of ComfyUI's layout.

    `names` are the file names it is published under, the recipe's own first; files under any of them serve.
    An empty `url` means that the file is shipped with this package, or that there is none to get, as `unpublished` says: then any
    file of its kind serves.
    `size` (`14B`) is the model's, empty where any is taken; `expert` is `low` or `high` where Wan2.2's other expert, which no
    header tells from it, would be wrong.
    `revision` pins the repository's commit and `sha256` the content of the first name; empty where they are not recorded.
    Units: `size_gb` is 10^9 bytes of the first name, None where it was not published; `other_sizes_gb` those of
    further names.
    """

    role: Role
    names: tuple[str, ...]
    url: str
    size_gb: float | None
    licence: str
    strength: float = 1.0  # of a LoRA
    size: str = ""
    expert: str = ""
    kind: FileKind | None = None
    revision: str = ""
    sha256: str = ""
    other_sizes_gb: Mapping[str, float] = field(default_factory=dict[str, float], hash=False)
    unpublished: str = ""

    @property
    def how_to_get(self) -> str:
        """What to do for it, as a clause."""
        if self.unpublished:
            return f"{self.unpublished}; put one into models/{self.folder} under any name"
        return f"get it from {self.url or 'a complete copy of Reelpatch'} and put it there"

    @property
    def kinds(self) -> tuple[FileKind, ...]:
        """What its header must say it is."""
        return KINDS[self.role] if self.kind is None else (self.kind,)

    def as_dict(self) -> dict[str, Any]:
        """The record in plain types."""
        return asdict(self) | {"folder": self.folder, "kind": self.kinds[0].words}

    @property
    def folder(self) -> str:
        """Where it lies below `models/`."""
        return FOLDERS[self.role]


@dataclass(frozen=True)
class Recipe:
    """Everything that a published method fixes beside the clip and the instruction.

    Units: sizes in pixels, `frames` of the form 4n + 1, `fps` what the method was made for (a clip keeps its own).
    `family` names that of its models, `kind` that of its edit, and `segments` how an in-context one lays out its sequence, `canvas`
    how one on a pair canvas, `sharing` how two clips share attention, `channels` what stands beside those of the latents; `buckets` are
    the sizes that it was made for, by aspect, where clips are fitted and no size is asked for;
    `picture` is set where single pictures are edited instead of clips, each as the last of `frames`; a first frame that is given
    is shown for `held_frames`, as long as its weights were trained to see kept ones; with `times_in_result` the model edits all
    frames at the places of a mask, and when it holds is decided as the result is pasted back; the first
    `half_size_steps` are made at half the size. `schedule` and `solver` are
    names in `reelpatch.sampling`; `strength` scales the edit's hints, and `skip_hints` says whether a skipped block goes without
    the one that follows it; sampling begins at `start_step` of the schedule, of an enhancer from the clip's own noised latents,
    and `expert_boundary` is the timestep, in parts of 1000, below which the low-noise expert works (None where there is one
    model for all): the only backbone of an enhancer, the second of a recipe with two, where guidance is `low_noise_guidance` times
    as much. `reference_guidance` takes the place of `guidance` where references are given. `aim` names how its models like to be
    spoken to (`recipes/rewriting.py`), empty where the text cannot be chosen freely.
    """

    name: str
    title: str
    files: tuple[WeightFile, ...]
    schedule: str
    steps: int
    shift: float
    guidance: Guidance
    width: int
    height: int
    frames: int
    fps: float
    licence: str
    source: str
    skip_layers: SkipLayers | None = None
    skip_hints: bool = False
    solver: str = "unipc"
    solver_options: Mapping[str, Any] = field(default_factory=dict[str, Any], hash=False)
    strength: float = 1.0
    window: StepRange = field(default_factory=StepRange)
    negative_prompt: str = ""
    examples: tuple[str, ...] = ()
    notes: str = ""
    start_step: int = 0
    expert_boundary: float | None = None
    family: str = "wan"
    kind: str = "vace"
    segments: SegmentLayout | None = None
    picture: PictureEdit | None = None
    canvas: PairCanvas | None = None
    sharing: SharingMethod | None = None
    channels: ChannelLayout | None = None
    buckets: SizeBuckets | None = None
    reference_guidance: Guidance | None = None
    low_noise_guidance: float = 1.0
    held_frames: int = 1
    times_in_result: bool = False
    half_size_steps: int = 0
    aim: str = ""

    @property
    def model_family(self) -> Family:
        """The family of its models."""
        return FAMILIES.find(self.family)

    @property
    def lattice(self) -> Lattice:
        """How its models lay out a clip."""
        return self.model_family.lattice

    @property
    def has_two_experts(self) -> bool:
        """Whether another backbone goes on from the boundary."""
        return bool(self.files_for("low_noise"))

    @property
    def method(self) -> SegmentLayout | PictureEdit | PairCanvas | SharingMethod | ChannelLayout | None:
        """What it records for its kind of edit alone."""
        return self.segments or self.picture or self.canvas or self.sharing or self.channels

    @property
    def edit_kind(self) -> EditKind:
        """What it does to a clip."""
        return EDIT_KINDS.find(self.kind)

    @property
    def enhances(self) -> bool:
        """Whether it goes over a finished clip, without an edit module and an instruction."""
        return not self.edit_kind.is_instructed

    def prompt_for(self, instruction: str, *, references: int = 0) -> str:
        """The text that its model reads, of what a person says, where so many references are given."""
        if self.segments is None:
            return instruction
        return self.segments.prompt_for(instruction, references=references)

    def guidance_for(self, references: int) -> Guidance:
        """Its guidance where so many references are given."""
        return self.reference_guidance if references and self.reference_guidance else self.guidance

    def guided(self, scale: float | None, at_first: int | None = None) -> Recipe:
        """The recipe with another guidance, and with guidance at the first so many steps alone; None for its own.

        Raises: `BadInput` for steps that the run does not have, and where there is no guidance that they could go without.
        """
        one, other = self.guidance, self.reference_guidance
        if scale is not None:
            one, other = one.with_scale(scale), other and other.with_scale(scale)
        if at_first is not None:
            if not any(one.enabled(step) for step in range(self.num_run_steps)):
                raise BadInput(
                    f"the recipe '{self.name}' runs without guidance, one pass a step, so that no step can go without it: leave this out.",
                    setting="guidance_steps",
                )
            if not 1 <= at_first <= self.num_run_steps:
                raise BadInput(
                    f"guidance was asked for at the first {at_first} steps, but the run has {self.num_run_steps}: use 1 to "
                    f"{self.num_run_steps}, or guidance 1 for none.",
                    setting="guidance_steps",
                )
            one, other = one.at_first(at_first), other and other.at_first(at_first)
        return replace(self, guidance=one, reference_guidance=other)

    def begun_at_half_size(self, steps: int | None) -> Recipe:
        """The recipe with its first so many steps at half the size; None for its own.

        Raises: `BadInput` for a recipe of another kind than VACE's, and for steps that leave none for the full size.
        """
        if steps is None:
            return self
        if self.kind != "vace":
            raise BadInput(
                f"the recipe '{self.name}' cannot begin at half the size, which is made for recipes with an edit module of VACE's: leave "
                "this out.",
                setting="half_size_steps",
            )
        check_half_size_steps(steps, self.num_run_steps)
        return replace(self, half_size_steps=steps)

    @property
    def takes_first_frame(self) -> bool:
        """Whether a clip can follow its first frame, given as it is to become: kept, or looked at as a reference."""
        looks = self.segments is not None and self.segments.reference_px is not None
        return self.keeps_first_frame or looks

    @property
    def keeps_first_frame(self) -> bool:
        """Whether a first frame that is given stays: in the clip, or on a pair canvas beside the source's own."""
        return self.edit_kind.keeps_frames or self.canvas is not None

    @property
    def sees_clip(self) -> bool:
        """Whether it works on a clip that is given; else it makes one of references alone."""
        return self.segments is None or self.segments.sees_clip

    @property
    def least_references(self) -> int:
        """How many references there have to be."""
        return 0 if self.segments is None else self.segments.least_references

    @property
    def grounds(self) -> bool:
        """Whether it makes a clip that shows what will be changed, in front of the one that is edited."""
        return self.segments is not None and self.segments.grounding > 0

    @property
    def num_run_steps(self) -> int:
        """How many steps are really taken."""
        return self.steps - self.start_step

    def planned_for(self, steps: int | None) -> Recipe:
        """The recipe with another number of steps, None for its own; those of an enhancer are the last of a run that stays."""
        if steps is None:
            return self
        if self.enhances and 0 < steps < self.steps:
            return replace(self, start_step=self.steps - steps)
        return replace(self, steps=steps, start_step=0)

    def check_edits(self) -> None:
        """Raises: `BadInput` for a recipe that does something else than edit by instruction."""
        if self.enhances:
            raise BadInput(
                f"the recipe '{self.name}' goes over a finished clip and edits nothing: run `reelpatch enhance`, or choose "
                "a recipe that edits (`reelpatch recipes` lists them).",
                setting="recipe",
            )
        if self.picture is not None:
            raise BadInput(
                f"the recipe '{self.name}' edits single pictures, not clips: run `reelpatch picture`, or choose a recipe that "
                "edits clips (`reelpatch recipes` lists them).",
                setting="recipe",
            )

    def check_pictures(self) -> PictureEdit:
        """How it edits pictures. Raises: `BadInput` for a recipe that does something else."""
        if self.picture is None:
            raise BadInput(
                f"the recipe '{self.name}' edits no single pictures: choose one that does, such as chronoedit-8step, or demo-picture which "
                "needs no files.",
                setting="recipe",
            )
        return self.picture

    def check_shares(self) -> SharingMethod:
        """How it shares attention. Raises: `BadInput` for a recipe that does something else."""
        if self.sharing is None:
            raise BadInput(
                f"the recipe '{self.name}' makes no pairs of clips: choose one that shares attention, such as "
                "shared-attention-1.3b, or demo-shared-attention which needs no files.",
                setting="recipe",
            )
        return self.sharing

    def reasoning_for(self, steps: int | None) -> Recipe:
        """The recipe with another number of reasoning steps, None for its own; its film is as long as they need.

        Raises: `BadInput` for a recipe that edits no pictures, and for more steps than its run has.
        """
        picture = self.check_pictures()
        if steps is not None:
            picture = replace(picture, reasoning_steps=steps)
        picture.check_steps(self.steps)
        return replace(self, picture=picture, frames=picture.frames)

    def check_grounds(self) -> None:
        """Raises: `BadInput` for a recipe that makes no clip of what will be changed."""
        if not self.grounds:
            raise BadInput(
                f"the recipe '{self.name}' makes no clip that shows what will be changed: use videocof or videocof-fast, or leave "
                "this out.",
                setting="grounding_film",
            )

    def check_caption(self, caption: str) -> None:
        """Raises: `BadInput` for a caption of the clip that is missing, or that nobody reads."""
        if self.sharing is not None and not caption.strip():
            raise BadInput(
                f"the recipe '{self.name}' compares two captions, but none of the clip as it is was given: say what it shows.",
                setting="caption",
            )
        if self.sharing is None and caption:
            raise BadInput(
                f"a caption of the clip was given, but the recipe '{self.name}' reads an instruction alone: leave it out, or use "
                "shared-attention.",
                setting="caption",
            )

    def check_enhances(self) -> None:
        """Raises: `BadInput` for a recipe that does something else than enhance a clip."""
        if not self.enhances:
            raise BadInput(
                f"the recipe '{self.name}' does not enhance clips: choose one that does, such as enhance, or demo-enhance "
                "which needs no files.",
                setting="recipe",
            )

    def files_for(self, role: Role) -> tuple[WeightFile, ...]:
        """Its files of a role, in the order they apply; several only for LoRAs."""
        return tuple(file for file in self.files if file.role == role)

    def as_dict(self) -> dict[str, Any]:
        """The record in plain types, as `--json` prints it."""
        record = asdict(self) | {"guidance": self.guidance.as_dict()}
        record["reference_guidance"] = self.reference_guidance and self.reference_guidance.as_dict()
        record["files"] = [file.as_dict() for file in self.files]
        return record
