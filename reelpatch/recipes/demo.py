"""The recipes of the demo's weights, which come with Reelpatch: each does what a published method does, small."""

from dataclasses import replace

from reelpatch.edits.reasoning.settings import REASONING_FRAMES, PictureEdit
from reelpatch.edits.segments.layout import SegmentLayout
from reelpatch.edits.sharing.schedule import SharingMethod, Stages
from reelpatch.families.kinds import Kind
from reelpatch.recipes.files import APACHE, shipped
from reelpatch.recipes.record import Recipe
from reelpatch.sampling.guidance import Guidance

_BACKBONE, _BACKBONE_FP8 = "reelpatch_demo_t2v_bf16.safetensors", "reelpatch_demo_t2v_fp8_e4m3fn.safetensors"
_BASE = shipped("backbone", _BACKBONE, _BACKBONE_FP8)
_READERS = (
    shipped("vae", "reelpatch_demo_vae.safetensors"),
    shipped("text_encoder", "reelpatch_demo_umt5.safetensors"),
)
# Each is done with every seed from 1 to 5 on the clip that comes along (`tests/unit/demo/test_shown_edits.py`).
_RECOLOUR, _RECOLOUR_OTHER = "make the red circle blue", "make the green square pink"
_REMOVE, _BACKGROUND = "remove the green square", "change the background to a night sky"

DEMO = Recipe(
    name="demo",
    title="Demo: tiny weights that come with Reelpatch and run on any CPU",
    files=(
        _BASE,
        shipped("module", "reelpatch_demo_edit_module.safetensors"),
        shipped("lora", "reelpatch_demo_4step_lora.safetensors"),
        *_READERS,
    ),
    schedule="euler",
    steps=4,
    shift=3.0,
    guidance=Guidance(1.0),
    solver="euler",
    width=64,
    height=64,
    frames=9,
    held_frames=5,
    # Measured: masks with times are obeyed in 0.90 of held-out scenes, by the model itself in 0.78 (docs/measured.md).
    times_in_result=True,
    fps=8,
    licence=APACHE,
    source="reelpatch/headless/demo",
    examples=(_RECOLOUR, _RECOLOUR_OTHER, _REMOVE, _BACKGROUND, "make it sepia", "make it grayscale"),
    notes="Knows six colours, three shapes, five backgrounds and three styles.",
    aim="demo",
)
# Without the LoRA that stands for guidance and most of the steps.
_GUIDED = replace(DEMO, steps=8, guidance=Guidance(2.5), held_frames=1)
DEMO_ENHANCE = replace(
    DEMO,
    name="demo-enhance",
    kind="enhance",
    title="Demo: the enhancer on the tiny weights that come with Reelpatch",
    files=(_BASE, *_READERS),
    schedule="native",
    solver="unipc",
    steps=40,
    start_step=38,
    shift=12.0,
    examples=("",),
    aim="",
    notes=(
        "The demo's backbone by itself, on the enhancer's schedule: its last 2 steps, from 39 % noise, because from 57 % "
        "(four steps) so small a model does not find the picture again. It knows nothing but the demo's scenes, of "
        "64x64 pixels and 9 frames."
    ),
)
DEMO_IN_CONTEXT = replace(
    _GUIDED,
    name="demo-in-context",
    kind="adapter",
    title="Demo: EasyV2V's layout on the tiny weights that come with Reelpatch and run on any CPU",
    # A reference is as large as the clip.
    segments=SegmentLayout(is_before=True, reference_px=0, most_references=1),
    files=(
        _BASE,
        replace(shipped("module", "reelpatch_demo_edit_adapter.safetensors"), kind=Kind.EDIT_ADAPTER),
        *_READERS,
    ),
    examples=(_RECOLOUR, _REMOVE, _BACKGROUND, "make it grayscale", "change the background"),
    notes=(
        "An edit adapter of our own, on the demo's base of 16 channels: EasyV2V's authors published no weights. It knows six colours, three "
        "shapes and five backgrounds; 'change the background' takes that of a picture."
    ),
)
DEMO_SHARED_ATTENTION = replace(
    _GUIDED,
    name="demo-shared-attention",
    kind="sharing",
    times_in_result=False,  # its latents before a start are the source's own
    title="Demo: shared attention on the tiny weights that come with Reelpatch",
    sharing=SharingMethod(Stages.of_run(shift=3.0)),
    files=(
        shipped("backbone", _BACKBONE),
        shipped("lora", "reelpatch_demo_captions_lora.safetensors"),
        *_READERS,
    ),
    steps=16,
    examples=("blue circle in front of a night sky",),
    notes=(
        "The demo's backbone with a LoRA of captions. It knows captions such as 'red circle and green square in front of the "
        "ocean', of six colours, three shapes and five backgrounds, one for the clip as it is and one for what it is to be."
    ),
    aim="demo-caption",
)
DEMO_PICTURE = replace(
    _GUIDED,
    name="demo-picture",
    kind="reasoning",
    title="Demo: edit a picture on the tiny weights that come with Reelpatch, on any CPU",
    picture=PictureEdit(),
    files=(
        replace(shipped("backbone", "reelpatch_demo_picture_bf16.safetensors"), kind=Kind.IMAGE_BACKBONE),
        *_READERS,
    ),
    schedule="diffusers-0.35",
    solver="unipc",
    frames=5,
    examples=(_RECOLOUR, _RECOLOUR_OTHER, _REMOVE, _BACKGROUND),
    notes=(
        "Knows six colours, three shapes and five backgrounds, in pictures of 64x64 pixels. Its backbone has no "
        "branch for a picture's embedding, so that it needs no picture encoder."
    ),
)
DEMO_REASONING = replace(
    DEMO_PICTURE,
    name="demo-picture-reasoning",
    title="Demo: edit a picture by imagining the way to the edit first, for 3 of 8 steps",
    frames=REASONING_FRAMES,
    picture=PictureEdit(reasoning_steps=3),
)
