"""Convert weights: a published pickle becomes the safetensors files that the loaders take, without a terminal."""

from pathlib import Path

import comfy.model_management
import comfy.utils
import folder_paths
from comfy_api.latest import io, ui

from reelpatch.weights.convert import PRECISIONS, Precision, convert, plan_conversion

from .files import listed, missing_or_true
from .node_message import say

FOLDER, LORAS = "diffusion_models", "loras"
PICKLES = (".pt", ".pth", ".bin", ".ckpt")
VDOT = "vdot_14b.pt"


class ConvertWeights(io.ComfyNode):
    """The same as `reelpatch convert`; what a pickle would run is never run."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ReelpatchConvertWeights",
            display_name="Convert weights",
            category="reelpatch/loaders",
            description=(
                "Makes safetensors of a pickle such as VDOT's vdot_14b.pt, for Load backbone and Load edit module, or of a LoRA such "
                "as ReCo's .ckpt. Nothing in the pickle is run, it stays as it is, and files appear when they are complete. Run it "
                "once, alone."
            ),
            search_aliases=["vdot", "vace", "pickle", "pt to safetensors", "convert model"],
            inputs=[
                io.Combo.Input(
                    "file",
                    options=pickles(),
                    tooltip=(
                        "A .pt or .pth file of a VACE-type model in models/diffusion_models (VDOT's is vdot_14b.pt), or a LoRA's "
                        ".ckpt in models/loras."
                    ),
                ),
                io.Combo.Input(
                    "precision",
                    options=list(PRECISIONS),
                    default="bf16",
                    tooltip=(
                        "Of the large layers; the rest is bf16. VDOT takes 34.7 GB of disk in bf16 and 17.6 GB in fp8, which "
                        "needs half the memory as well. The templates name the bf16 files."
                    ),
                ),
            ],
            outputs=[io.String.Output(display_name="report", tooltip="Which files were made.")],
            hidden=[io.Hidden.unique_id],
            is_output_node=True,
        )

    @classmethod
    def validate_inputs(cls, file: object = "") -> bool | str:
        return missing_or_true(FOLDER, file, LORAS)

    @classmethod
    def execute(cls, file: str, precision: Precision) -> io.NodeOutput:
        of_lora = folder_paths.get_full_path(LORAS, file)
        source = Path(of_lora or folder_paths.get_full_path_or_raise(FOLDER, file))
        conversion = plan_conversion(source, precision)
        names, folder = list(conversion.files), source.parent
        made = [name for name in names if (folder / name).exists()]
        if len(made) == len(names):
            return _told(f"{' and '.join(names)} are there already, and nothing was written.")
        say(cls, f"{file} is {conversion.model}: writing {conversion.num_bytes / 1e9:.1f} GB beside it.")
        bar = comfy.utils.ProgressBar(1)

        def on_progress(_stage: str, done: int, total: int) -> None:
            comfy.model_management.throw_exception_if_processing_interrupted()
            bar.update_absolute(done, total)

        convert(conversion, folder, on_progress)
        return _told(
            f"{' and '.join(names)} are in models/{LORAS if of_lora else FOLDER} now: press R, and choose them in the loaders."
        )


def pickles() -> list[str]:
    """The pickles that may be converted; VDOT's by name where there is none, so that a missing one says where it is."""
    return [name for name in listed(FOLDER, LORAS) if name.lower().endswith(PICKLES)] or [VDOT]


def _told(sentence: str) -> io.NodeOutput:
    return io.NodeOutput(sentence, ui=ui.PreviewText(sentence))  # which js/text.js shows
