"""Clips made beside another one by attention sharing, with text-to-video models as they were published: no training.

InsEdit published its policies, but no model, no step count and no boundary: steps, shift and guidance are those of the base,
and where stages and groups of layers end is ours.
"""

from dataclasses import replace

from reelpatch.edits.sharing.schedule import SharingMethod, Stages
from reelpatch.recipes.demo import DEMO_SHARED_ATTENTION
from reelpatch.recipes.files import (
    APACHE,
    T2V_1_3B,
    T2V_14B_FP8,
    T2V_A14B_HIGH,
    T2V_A14B_SECOND,
    UMT5_XXL,
    WAN_VAE,
)
from reelpatch.recipes.prompts import WAN_NEGATIVE_PROMPT
from reelpatch.recipes.record import Recipe
from reelpatch.sampling.guidance import Guidance

_T2V_14B = Recipe(
    name="shared-attention",
    title="Shared attention: any Wan text-to-video model edits a clip, or makes pairs of clips, by two captions",
    kind="sharing",
    sharing=SharingMethod(Stages.of_run(shift=5.0)),
    files=(T2V_14B_FP8, WAN_VAE, UMT5_XXL),
    schedule="native",
    steps=50,
    shift=5.0,
    guidance=Guidance(5.0),
    negative_prompt=WAN_NEGATIVE_PROMPT,
    width=832,
    height=480,
    frames=81,
    fps=16,
    licence=APACHE,
    source="InsEdit's Mutual Context Attention, on https://huggingface.co/Wan-AI/Wan2.1-T2V-14B with its own settings",
    examples=("A brown dog is running on the beach.",),
    notes=(
        "The text is a caption of the clip as it is to be, beside a caption of the clip as it is. Nothing was trained for it: it "
        "keeps less of the clip than methods that were. Both clips of a pair can be made so. Where the early and the middle stage "
        "end (25 % and 65 % of the run) and the thirds of the layers are ours: InsEdit published no numbers."
    ),
    aim="caption",
)
SHARED_ATTENTION = (
    _T2V_14B,
    replace(
        _T2V_14B,
        name="shared-attention-1.3b",
        title="Shared attention on Wan2.1 1.3B: a clip, or a pair of clips, by two captions",
        files=(T2V_1_3B, WAN_VAE, UMT5_XXL),
        sharing=SharingMethod(Stages.of_run(shift=8.0)),
        shift=8.0,
        guidance=Guidance(6.0),
        source="InsEdit's Mutual Context Attention, on https://huggingface.co/Wan-AI/Wan2.1-T2V-1.3B with its own settings",
    ),
    replace(
        _T2V_14B,
        name="shared-attention-a14b",
        title="Shared attention on Wan2.2 A14B, InsEdit's own base: a clip, or a pair of clips, by two captions",
        files=(T2V_A14B_HIGH, T2V_A14B_SECOND, WAN_VAE, UMT5_XXL),
        sharing=SharingMethod(Stages.of_run(shift=12.0)),
        steps=40,
        shift=12.0,
        guidance=Guidance(4.0),
        low_noise_guidance=0.75,
        expert_boundary=0.875,
        source="InsEdit's Mutual Context Attention, on https://huggingface.co/Wan-AI/Wan2.2-T2V-A14B with its own settings",
    ),
    DEMO_SHARED_ATTENTION,
)
