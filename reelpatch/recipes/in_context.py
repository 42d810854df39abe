"""The published methods that edit in context: the source clip's tokens beside those of the clip that is made."""

from dataclasses import replace

from reelpatch.edits.canvas.layout import PairCanvas
from reelpatch.edits.segments.layout import SegmentLayout
from reelpatch.recipes.demo import DEMO_IN_CONTEXT
from reelpatch.recipes.files import (
    APACHE,
    BERNINI_1_3B,
    BERNINI_14B_HIGH,
    BERNINI_14B_LOW,
    EASYV2V_ADAPTER,
    FUSIONX_LORA,
    RECO_LORA,
    RECO_REF_LORA,
    T2V_1_3B,
    T2V_14B_BF16,
    TI2V_5B,
    UMT5_XXL,
    UNKNOWN_LICENCE,
    VACE_1_3B,
    VIDEOCOF_LORA,
    WAN22_VAE,
    WAN_VAE,
)
from reelpatch.recipes.prompts import WAN_NEGATIVE_PROMPT
from reelpatch.recipes.record import Recipe
from reelpatch.sampling.condition_sets import Projection, Sees, SourceWeight
from reelpatch.sampling.guidance import Guidance

# The English negative prompt of Wan2.1, as VideoCoF runs it.
ENGLISH_NEGATIVE_PROMPT = (
    "Bright tones, overexposed, static, blurred details, subtitles, style, works, paintings, images, static, overall gray, "
    "worst quality, low quality, JPEG compression residue, ugly, incomplete, extra fingers, poorly drawn hands, poorly drawn "
    "faces, deformed, disfigured, misshapen limbs, fused fingers, still picture, messy background, three legs, many people in "
    "the background, walking backwards"
)

_VIDEOCOF = Recipe(
    name="videocof",
    title="VideoCoF: sees what to change before it changes it, in 50 steps",
    kind="segments",
    segments=SegmentLayout(
        grounding=1,
        is_before=True,
        prompt=(
            "A video sequence showing three parts: first the original scene, then grounded {object}, and finally the same "
            "scene but {words}"
        ),
    ),
    files=(T2V_14B_BF16, VIDEOCOF_LORA, WAN_VAE, UMT5_XXL),
    schedule="native",
    steps=50,
    shift=3.0,
    guidance=Guidance(5.0),
    negative_prompt=ENGLISH_NEGATIVE_PROMPT,
    width=832,
    height=480,
    frames=33,
    fps=10,
    licence=APACHE,
    source="https://huggingface.co/XiangpengYang/VideoCoF, run as its inference.py does",
    examples=("Remove the lamp.", "Replace the dog with a fox.", "Add a hat to the man."),
    notes=(
        "Takes no mask and no references into the model; a mask keeps the rest of the picture by pasting back. Trained on 33 "
        "frames, and by its authors good for about four times as many."
    ),
    aim="object",
)
# What Bernini-R was trained to read in front of an instruction, without a space between them.
_TASK = "You are a helpful assistant{}.{{instruction}}"
_PROJECTION = Projection(parallel=0.5, longest=50.0)
_BERNINI_1_3B = Recipe(
    name="bernini-r-1.3b",
    title="Bernini-R 1.3B: edits by instruction and by reference pictures",
    kind="segments",
    segments=SegmentLayout(
        is_numbered=True,
        reference_px=848,
        prompt=_TASK.format(" specialized in video editing"),
        reference_prompt=_TASK.format(" specialized in video editing with reference"),
    ),
    files=(BERNINI_1_3B, WAN_VAE, UMT5_XXL),
    schedule="native",
    steps=40,
    shift=3.0,
    guidance=Guidance(4.0, projection=_PROJECTION),
    reference_guidance=Guidance(4.0, sources=(SourceWeight(Sees.CLIP, 3.0), SourceWeight(Sees.ALL, 3.0))),
    negative_prompt="",
    width=832,
    height=480,
    frames=81,
    fps=16,
    licence=APACHE,
    source="https://huggingface.co/Comfy-Org/Bernini-R (Bernini-R of ByteDance), run as its renderer does",
    examples=("Turn the car red.", "Remove the person in the background."),
    notes=(
        "A clip alone is edited by projected guidance (v2v_apg of its authors), in two passes a step. With references, "
        "guidance goes from nothing over the clip and the references to the instruction (rv2v); as the clip and the "
        "references weigh the same, three passes are enough."
    ),
    aim="order",
)
# Its authors' command line for this task (scripts/bernini_r/run_r2v.sh with the defaults of bernini/cli.py); the shift is the model's.
_REFERENCES_1_3B = replace(
    _BERNINI_1_3B,
    name="bernini-r-1.3b-r2v",
    title="Bernini-R 1.3B: a video of what reference pictures show",
    segments=SegmentLayout(
        is_numbered=True,
        reference_px=848,
        prompt=_TASK.format(" specialized in subject-to-video generation"),
        sees_clip=False,
    ),
    guidance=Guidance(4.0, sources=(SourceWeight(Sees.REFERENCES, 4.5),), projection=_PROJECTION),
    reference_guidance=None,
    negative_prompt=WAN_NEGATIVE_PROMPT,
    width=848,
    examples=("The cat of image0 sleeps on the chair of image1, in warm evening light.",),
    notes=(
        "Sees no clip: the video is made of 1 to 16 reference pictures and a description of the finished video, which calls them image0, "
        "image1, ... Guidance goes from nothing over the references to the description, projected (r2v_apg of its authors), in three "
        "passes a step."
    ),
    aim="caption",
)
_EASYV2V = Recipe(
    name="easyv2v",
    title="EasyV2V's layout on Wan2.2 TI2V-5B: edits by instruction, mask and reference, with an edit adapter of your own",
    kind="adapter",
    family="wan-5b",
    # A reference is as large as the clip.
    segments=SegmentLayout(is_before=True, reference_px=0, most_references=1),
    files=(TI2V_5B, EASYV2V_ADAPTER, WAN22_VAE, UMT5_XXL),
    schedule="native",
    steps=50,
    shift=5.0,
    guidance=Guidance(5.0),
    negative_prompt=WAN_NEGATIVE_PROMPT,
    width=832,
    height=480,
    frames=81,
    fps=24,
    licence=APACHE,
    source="arXiv 2512.16920, on Wan2.2 TI2V-5B with the sampling of its README",
    examples=("Turn the car red.", "From the third second on, make it snow."),
    notes=(
        "Its authors published no weights: this is the layout of their paper, with choices of our own where it is silent, for an "
        "edit adapter that you have trained (docs/files.md has the format). A mask says where and when to edit; without one the "
        "instruction alone does. One reference. Sizes are multiples of 32."
    ),
    aim="order",
)
_RECO = Recipe(
    name="reco",
    title="ReCo: edits by instruction on a picture twice as wide, by VACE 1.3B",
    kind="canvas",
    canvas=PairCanvas(),
    files=(T2V_1_3B, VACE_1_3B, RECO_LORA, WAN_VAE, UMT5_XXL),
    schedule="native",
    steps=50,
    shift=5.0,
    guidance=Guidance(5.0),
    negative_prompt=ENGLISH_NEGATIVE_PROMPT,
    width=832,
    height=480,
    frames=81,
    fps=16,
    licence=UNKNOWN_LICENCE,
    source="https://huggingface.co/HiDream-ai/ReCo, run as its inference_reco_single.py does",
    examples=("Replace the dog with a fox.", "Add a hat to the man.", "Make it a watercolor painting."),
    notes=(
        "The source stands at the left of a canvas twice as wide, and the clip is made at its right: twice the tokens of VACE. A mask "
        "does not go into the model; what it keeps is pasted back. By its authors' tests weak at removing things. In ComfyUI, by Edit in "
        "context."
    ),
    aim="order",
)
IN_CONTEXT = (
    _EASYV2V,
    DEMO_IN_CONTEXT,
    _RECO,
    replace(
        _RECO,
        name="reco-ref",
        title="ReCo with a reference picture",
        canvas=PairCanvas(most_references=1),
        files=(T2V_1_3B, VACE_1_3B, RECO_REF_LORA, WAN_VAE, UMT5_XXL),
        source="https://huggingface.co/HiDream-ai/ReCo, run as its inference_reco_single_ref.py does",
    ),
    replace(
        _BERNINI_1_3B,
        name="bernini-r",
        title="Bernini-R 14B: edits by instruction and by reference pictures, with two experts one after the other",
        files=(BERNINI_14B_HIGH, BERNINI_14B_LOW, WAN_VAE, UMT5_XXL),
        expert_boundary=0.875,
        low_noise_guidance=0.75,
    ),
    _BERNINI_1_3B,
    replace(
        _REFERENCES_1_3B,
        name="bernini-r-r2v",
        title="Bernini-R 14B: a video of what reference pictures show, with two experts one after the other",
        files=(BERNINI_14B_HIGH, BERNINI_14B_LOW, WAN_VAE, UMT5_XXL),
        expert_boundary=0.875,
        low_noise_guidance=0.8,
    ),
    _REFERENCES_1_3B,
    _VIDEOCOF,
    replace(
        _VIDEOCOF,
        name="videocof-fast",
        title="VideoCoF with the FusionX LoRA: 4 steps, one pass each",
        files=(T2V_14B_BF16, VIDEOCOF_LORA, FUSIONX_LORA, WAN_VAE, UMT5_XXL),
        steps=4,
        guidance=Guidance(1.0),
        negative_prompt="",
        licence=UNKNOWN_LICENCE,
        source="https://huggingface.co/XiangpengYang/VideoCoF, run as its fast_infer.py does",
    ),
)
