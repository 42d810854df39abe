"""Published ways to edit a clip, one record each: the files, the settings, the licence and where it is from."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from difflib import get_close_matches
from typing import Any, Literal

from reelpatch.errors import BadInput
from reelpatch.sampling.guidance import Guidance, SkipLayers, Window

Role = Literal["backbone", "module", "lora", "vae", "text_encoder"]
FOLDERS: dict[Role, str] = {
    "backbone": "diffusion_models",
    "module": "diffusion_models",
    "lora": "loras",
    "vae": "vae",
    "text_encoder": "text_encoders",
}
APACHE = "Apache-2.0"
NON_COMMERCIAL = "CC BY-NC-SA 4.0 (non-commercial)"
HUGGING_FACE = "https://huggingface.co"

# The negative prompt of Wan2.1 T2V, VACE and Wan2.2 A14B, as published.
WAN_NEGATIVE_PROMPT = (
    "色调艳丽，过曝，静态，细节模糊不清，字幕，风格，作品，画作，画面，静止，整体发灰，最差质量，低质量，"  # noqa: RUF001 -- as published
    "JPEG压缩残留，丑陋的，残缺的，多余的手指，画得不好的手部，画得不好的脸部，畸形的，毁容的，形态畸形的肢体，"  # noqa: RUF001 -- as published
    "手指融合，静止不动的画面，杂乱的背景，三条腿，背景人很多，倒着走"  # noqa: RUF001 -- as published
)
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


@dataclass(frozen=True)
class WeightFile:
    """A file a recipe needs, in a models folder of ComfyUI's layout.

    `names` are the file names it is published under, the recipe's own first; files under any of them serve.
    An empty `url` means that the file is shipped with this package.
    Units: `size_gb` is 10^9 bytes of the first name, None where it was not published.
    """

    role: Role
    names: tuple[str, ...]
    url: str
    size_gb: float | None
    licence: str
    strength: float = 1.0  # of a LoRA

    @property
    def folder(self) -> str:
        """Where it lies below `models/`."""
        return FOLDERS[self.role]


@dataclass(frozen=True)
class Recipe:
    """Everything that a published method fixes beside the clip and the instruction.

    Units: sizes in pixels, `frames` of the form 4n + 1, `fps` what the method was made for (a clip keeps its own).
    `schedule` and `solver` are names in `reelpatch.sampling`; `strength` scales the edit's hints.
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
    solver: str = "unipc"
    solver_options: Mapping[str, Any] = field(default_factory=dict[str, Any], hash=False)
    strength: float = 1.0
    window: Window = field(default_factory=Window)
    negative_prompt: str = ""
    examples: tuple[str, ...] = ()
    notes: str = ""

    def files_for(self, role: Role) -> tuple[WeightFile, ...]:
        """Its files of a role, in the order they apply; several only for LoRAs."""
        return tuple(file for file in self.files if file.role == role)

    def as_dict(self) -> dict[str, Any]:
        """The record in plain types, as `--json` prints it."""
        record = asdict(self)
        steps = self.guidance.steps
        record["guidance"]["steps"] = None if steps is None else sorted(steps)
        record["files"] = [asdict(file) | {"folder": file.folder} for file in self.files]
        return record


def recipe(name: str) -> Recipe:
    """The recipe of that name.

    Raises: BadInput for an unknown name; the message offers the closest ones, or all.
    """
    if name in RECIPES:
        return RECIPES[name]
    close = get_close_matches(name, RECIPES, cutoff=0.5) or list(RECIPES)
    raise BadInput(f"there is no recipe '{name}': did you mean {' or '.join(close)}?")


def _kijai(file: str) -> str:
    return f"{HUGGING_FACE}/Kijai/WanVideo_comfy/resolve/main/{file}"


def _comfy_org(file: str) -> str:
    return f"{HUGGING_FACE}/Comfy-Org/Wan_2.1_ComfyUI_repackaged/resolve/main/split_files/{file}"


_T2V_14B_FP8 = "Wan2_1-T2V-14B_fp8_e4m3fn.safetensors"
_T2V_14B_BF16 = "wan2.1_t2v_14B_bf16.safetensors"
_T2V_14B_OTHERS = (
    "wan2.1_t2v_14B_fp16.safetensors",
    "wan2.1_t2v_14B_fp8_e4m3fn.safetensors",
    "Wan2_1-T2V-14B_fp8_e5m2.safetensors",
    "wan2.1_t2v_14B_fp8_scaled.safetensors",
)
T2V_14B_FP8 = WeightFile(
    role="backbone",
    names=(_T2V_14B_FP8, _T2V_14B_BF16, *_T2V_14B_OTHERS),
    url=_kijai(_T2V_14B_FP8),
    size_gb=14.9,
    licence=APACHE,
)
T2V_14B_BF16 = WeightFile(
    role="backbone",
    names=(_T2V_14B_BF16, _T2V_14B_FP8, *_T2V_14B_OTHERS),
    url=_comfy_org(f"diffusion_models/{_T2V_14B_BF16}"),
    size_gb=28.6,
    licence=APACHE,
)
VACE_14B = WeightFile(
    role="module",
    names=(
        "Wan2_1-VACE_module_14B_bf16.safetensors",
        "Wan2_1-VACE_module_14B_fp8_e4m3fn.safetensors",
        "Wan2_1-VACE-module-14B_fp8_e4m3fn_scaled_KJ.safetensors",
    ),
    url=_kijai("Wan2_1-VACE_module_14B_bf16.safetensors"),
    size_gb=6.1,
    licence=APACHE,
)
DITTO_GLOBAL = WeightFile(
    role="module",
    names=("ditto_global_comfy.safetensors",),
    url=f"{HUGGING_FACE}/QingyanBai/Ditto_models/resolve/main/models_comfy/ditto_global_comfy.safetensors",
    size_gb=6.1,
    licence=NON_COMMERCIAL,
)
CAUSVID_LORA = WeightFile(
    role="lora",
    names=("Wan21_CausVid_14B_T2V_lora_rank32_v2.safetensors",),
    url=_kijai("Wan21_CausVid_14B_T2V_lora_rank32_v2.safetensors"),
    size_gb=0.205,
    licence=NON_COMMERCIAL,  # tianweiy/CausVid issue 49
)
WAN_VAE = WeightFile(
    role="vae",
    names=("Wan2_1_VAE_bf16.safetensors", "wan_2.1_vae.safetensors", "Wan2_1_VAE_fp32.safetensors"),
    url=_kijai("Wan2_1_VAE_bf16.safetensors"),
    size_gb=0.254,
    licence=APACHE,
)
UMT5_XXL = WeightFile(
    role="text_encoder",
    names=(
        "umt5-xxl-enc-bf16.safetensors",
        "umt5_xxl_fp16.safetensors",
        "umt5-xxl-enc-fp8_e4m3fn.safetensors",
        "umt5_xxl_fp8_e4m3fn_scaled.safetensors",
    ),
    url=_kijai("umt5-xxl-enc-bf16.safetensors"),
    size_gb=11.4,
    licence=APACHE,
)


def _shipped(role: Role, *names: str) -> WeightFile:
    return WeightFile(role=role, names=names, url="", size_gb=None, licence=APACHE)


_ALL = (
    Recipe(
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
    ),
    Recipe(
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
    ),
    Recipe(
        name="demo",
        title="Demo: tiny weights that come with Reelpatch and run on any CPU",
        files=(
            _shipped(
                "backbone",
                "reelpatch_demo_t2v_bf16.safetensors",
                "reelpatch_demo_t2v_fp8_e4m3fn.safetensors",
            ),
            _shipped("module", "reelpatch_demo_edit_module.safetensors"),
            _shipped("lora", "reelpatch_demo_4step_lora.safetensors"),
            _shipped("vae", "reelpatch_demo_vae.safetensors"),
            _shipped("text_encoder", "reelpatch_demo_umt5.safetensors"),
        ),
        schedule="euler",
        steps=4,
        shift=3.0,
        guidance=Guidance(1.0),
        solver="euler",
        width=64,
        height=64,
        frames=9,
        fps=8,
        licence=APACHE,
        source="reelpatch/headless/demo",
        examples=("make the circle blue", "remove the square", "make it sepia"),
        notes="Knows six colours, three shapes, five backgrounds and three styles.",
    ),
)
RECIPES: Mapping[str, Recipe] = {record.name: record for record in _ALL}
