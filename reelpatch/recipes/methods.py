"""The published methods that edit through VACE or enhance: one record each."""

from dataclasses import replace

from reelpatch.recipes.demo import DEMO, DEMO_ENHANCE
from reelpatch.recipes.files import (
    APACHE,
    CAUSVID_1_3B_LORA,
    CAUSVID_LORA,
    DITTO_GLOBAL,
    DITTO_LOCAL_LORA,
    DITTO_SIM2REAL,
    DITTO_STYLE,
    LIGHTX2V_LORA,
    NON_COMMERCIAL,
    SELF_FORCING_LORA,
    T2V_1_3B,
    T2V_14B_BF16,
    T2V_14B_FP8,
    T2V_A14B_LOW,
    UMT5_XXL,
    UNKNOWN_LICENCE,
    VACE_1_3B,
    VACE_14B,
    WAN_VAE,
    vdot,
)
from reelpatch.recipes.pictures import PICTURE_RECIPES
from reelpatch.recipes.prompts import WAN_NEGATIVE_PROMPT
from reelpatch.recipes.record import Recipe
from reelpatch.sampling.guidance import Guidance, SkipLayers

DITTO_NEGATIVE_PROMPT = (
    "flickering artifact, jpg artifacts, compression, distortion, morphing, low-res, fake, oversaturated, "
    "overexposed, over bright, strange behavior, distorted limbs, unnatural motion, unrealistic anatomy, glitch, "
    "extra limbs,"
)
DITTO_EXAMPLES = (
    "Make it a Pixel Art video.",
    "Make it a Japanese anime style, cel shading video.",
    "Make it watercolor drawing style.",
    "Make it a Claymation.",
    "Make it a Ukiyo-e style video.",
    "Make it Cyberpunk style. (implants, futuristic).",
    "Make the scene in fire.",
    "Turn it into the LEGO style.",
)
DITTO_STYLE_EXAMPLES = (
    "Make it Steampunk style (mechanical with gears, pipes and brass details).",
    "Make it a pencil sketch style video.",
    "Make it a Renaissance art style video.",
    "Make it a drawing by Van Gogh.",
    "Make it Comic Book Style.",
    "Make it Children's Book Illustration.",
    "Make it a Charcoal Drawing.",
    "Make it sculptured with bronze.",
    "Turn it into the Paper Cutting style.",
)

_DITTO_GLOBAL = Recipe(
    name="ditto-global",
    title="Ditto: any instruction for the whole picture, in 4 steps",
    files=(T2V_14B_FP8, DITTO_GLOBAL, CAUSVID_LORA, WAN_VAE, UMT5_XXL),
    schedule="kijai",
    steps=4,
    shift=2.0,
    guidance=Guidance(1.2),
    skip_layers=SkipLayers(blocks=(2,), start=0.2, end=0.7),
    strength=0.975,
    negative_prompt=DITTO_NEGATIVE_PROMPT,
    width=832,
    height=480,
    frames=73,
    fps=24,
    licence=NON_COMMERCIAL,
    source="https://huggingface.co/QingyanBai/Ditto_models (its ComfyUI workflow)",
    examples=DITTO_EXAMPLES,
    notes="No mask and no reference: the whole clip is the context.",
    aim="ditto",
)
_VACE = Recipe(
    name="vace",
    title="VACE: describe the result; edits under a mask, with references",
    files=(T2V_14B_BF16, VACE_14B, WAN_VAE, UMT5_XXL),
    schedule="native",
    steps=50,
    shift=16.0,
    guidance=Guidance(5.0),
    negative_prompt=WAN_NEGATIVE_PROMPT,
    width=832,
    height=480,
    frames=81,
    fps=16,
    licence=APACHE,
    source="https://github.com/ali-vilab/VACE",
    examples=("A brown dog is running on the beach.",),
    notes="The prompt describes the finished clip instead of giving an instruction.",
    aim="caption",
)
_VDOT = Recipe(
    name="vdot",
    title="VDOT: VACE in 4 steps, one pass each",
    files=(vdot("backbone"), vdot("module"), WAN_VAE, UMT5_XXL),
    schedule="native",
    steps=4,
    shift=16.0,
    guidance=Guidance(1.0),
    width=832,
    height=480,
    frames=81,
    fps=16,
    licence=UNKNOWN_LICENCE,
    source="https://huggingface.co/yutongwang1012/VDOT (its vdot-weights, run as its README says)",
    examples=_VACE.examples,
    notes=(
        "The prompt describes the finished clip instead of giving an instruction. One file is both backbone and "
        "edit module: 34.7 GB in bf16, 17.6 GB in fp8."
    ),
    aim="caption",
)
_ENHANCE = Recipe(
    name="enhance",
    kind="enhance",
    title="Ditto's enhancer: sharper and steadier, by the last 4 of 40 steps of Wan2.2",
    files=(T2V_A14B_LOW, WAN_VAE, UMT5_XXL),
    schedule="native",
    steps=40,
    start_step=36,
    expert_boundary=0.875,  # Wan2.2's `boundary` of T2V-A14B
    shift=12.0,
    guidance=Guidance(3.0),
    negative_prompt=WAN_NEGATIVE_PROMPT,
    width=1280,
    height=720,
    frames=73,
    fps=16,
    licence=APACHE,
    source="Ditto's denoising enhancer, on Wan2.2 T2V-A14B",
    examples=("",),
    notes=(
        "The low-noise expert alone, from the clip with 57 % noise (sigma 0.571); the prompt is empty or the "
        "clip's caption. 1 to 14 last steps: more change more."
    ),
)
METHODS = (
    _DITTO_GLOBAL,
    replace(
        _DITTO_GLOBAL,
        name="ditto-style",
        title="Ditto: another style for the whole picture, in 4 steps",
        files=(T2V_14B_FP8, DITTO_STYLE, CAUSVID_LORA, WAN_VAE, UMT5_XXL),
        examples=(*DITTO_EXAMPLES, *DITTO_STYLE_EXAMPLES),
    ),
    replace(
        _DITTO_GLOBAL,
        name="ditto-sim2real",
        title="Ditto: from rendered or drawn to real, in 4 steps",
        files=(T2V_14B_FP8, DITTO_SIM2REAL, CAUSVID_LORA, WAN_VAE, UMT5_XXL),
        examples=("Turn it into the real domain.",),
    ),
    replace(
        _DITTO_GLOBAL,
        name="ditto-local",
        title="Ditto: one thing in the picture, in 4 steps",
        files=(T2V_14B_FP8, VACE_14B, CAUSVID_LORA, DITTO_LOCAL_LORA, WAN_VAE, UMT5_XXL),
        examples=(),
        notes="No workflow was published for it: the settings are those of ditto-global, with its LoRA on VACE.",
    ),
    Recipe(
        name="ditto-quality",
        title="Ditto: any instruction for the whole picture, in 50 steps without distillation",
        files=(T2V_14B_BF16, DITTO_GLOBAL, WAN_VAE, UMT5_XXL),
        schedule="euler",
        steps=50,
        shift=5.0,
        guidance=Guidance(5.0),
        solver="euler",
        negative_prompt=WAN_NEGATIVE_PROMPT,
        width=832,
        height=480,
        frames=73,
        fps=20,
        licence=NON_COMMERCIAL,
        source="https://huggingface.co/QingyanBai/Ditto_models (its DiffSynth script)",
        examples=DITTO_EXAMPLES,
        notes=(
            "The script adds Ditto's LoRA to the VACE module, which the file named here already holds, and rounds "
            "timesteps to bf16 (995.935 becomes 996), which is not done here."
        ),
        aim="ditto",
    ),
    _VACE,
    _VDOT,
    replace(
        _VDOT,
        name="vdot-rollout",
        title="VDOT by the list it was trained with: 4 steps, noised anew between them",
        schedule="warped",
        shift=8.0,
        solver="renoise",
        source="https://github.com/hhhh1138/VDOT (the rollout of its training)",
        notes=(
            f"{_VDOT.notes} An alternative to 'vdot', which is how it is run: its training showed the network 1000, 960, "
            "888.89 and 727.27, but mixed the noise by a table of shift 16; here both are those four levels."
        ),
    ),
    replace(
        _VACE,
        name="causvid",
        title="VACE with CausVid's LoRA: 8 steps, one pass each",
        files=(T2V_14B_FP8, VACE_14B, CAUSVID_LORA, WAN_VAE, UMT5_XXL),
        schedule="causvid-14b",
        steps=8,
        shift=1.0,
        guidance=Guidance(1.0),
        solver="euler",
        negative_prompt="",
        licence=NON_COMMERCIAL,
        source="https://huggingface.co/Kijai/WanVideo_comfy (the LoRA, and the levels of its flowmatch_causvid)",
        notes=f"{_VACE.notes} Takes 1 to 9 steps; 4 to 8 are usual.",
    ),
    replace(
        _VACE,
        name="causvid-1.3b",
        title="VACE 1.3B with CausVid's LoRA: 3 steps, noised anew between them",
        files=(T2V_1_3B, VACE_1_3B, CAUSVID_1_3B_LORA, WAN_VAE, UMT5_XXL),
        schedule="causvid-bidirectional",
        steps=3,
        shift=1.0,
        guidance=Guidance(1.0),
        solver="renoise",
        negative_prompt="",
        licence=NON_COMMERCIAL,
        source="https://github.com/tianweiy/CausVid (its bidirectional model; the LoRA was taken out of it by Kijai)",
    ),
    replace(
        _VACE,
        name="self-forcing",
        title="VACE 1.3B with Self-Forcing's LoRA: 4 steps, noised anew between them",
        files=(T2V_1_3B, VACE_1_3B, SELF_FORCING_LORA, WAN_VAE, UMT5_XXL),
        schedule="warped",
        steps=4,
        shift=5.0,
        guidance=Guidance(1.0),
        solver="renoise",
        negative_prompt="",
        licence=UNKNOWN_LICENCE,
        source="https://github.com/guandeh17/Self-Forcing (all frames at once; the LoRA was taken out of it by lym00)",
    ),
    replace(
        _VACE,
        name="lightx2v",
        title="VACE with LightX2V's LoRA: 4 steps, one pass each",
        files=(T2V_14B_FP8, VACE_14B, LIGHTX2V_LORA, WAN_VAE, UMT5_XXL),
        schedule="warped",
        steps=4,
        shift=5.0,
        guidance=Guidance(1.0),
        solver="euler",
        negative_prompt="",
        licence=UNKNOWN_LICENCE,
        source="https://huggingface.co/lightx2v/Wan2.1-Distill-Loras",
        notes=f"{_VACE.notes} A strength of 0.6 for the LoRA keeps more motion, by users' reports.",
    ),
    _ENHANCE,
    replace(
        _ENHANCE,
        name="enhance-fast",
        title="Ditto's enhancer with LightX2V's LoRA: one pass for each of its 4 steps, half the time",
        files=(T2V_A14B_LOW, LIGHTX2V_LORA, WAN_VAE, UMT5_XXL),
        guidance=Guidance(1.0),
        negative_prompt="",
        licence=UNKNOWN_LICENCE,
        source=f"{_ENHANCE.source}, with https://huggingface.co/lightx2v/Wan2.1-Distill-Loras",
        notes=(
            "Nobody has published these settings: they are the enhancer's noise levels, with the LoRA in the place of "
            "guidance. The LoRA was made for Wan2.1, whose layers the low-noise expert shares."
        ),
    ),
    *PICTURE_RECIPES,
    DEMO,
    DEMO_ENHANCE,
)
