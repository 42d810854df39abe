"""The verb `convert`: a pickle of a VACE-type model, or of a LoRA, becomes safetensors files for the models folder."""

import argparse
from pathlib import Path
from typing import Any

from reelpatch.errors import BadInput
from reelpatch.headless.commands import console, option_values

_PRECISIONS = ("bf16", "fp8", "fp8-scaled")
_EPILOG = """\
Nothing in the pickle is run. Every key and shape is checked before a byte is written, and a file appears when it is
complete. One that is stopped leaves nothing behind and starts over; there is no going on from its middle.
VDOT (vdot_14b.pt, 34.7 GB): 34.7 GB of room for bf16, 17.6 GB for fp8. A LoRA (ReCo's .ckpt) keeps its numbers.

examples:
  reelpatch convert vdot_14b.pt --out ~/ComfyUI/models/diffusion_models
  reelpatch convert vdot_14b.pt --out . --dtype fp8-scaled --merged
  reelpatch convert ReCo_ori_rank128-2025_m12_version.ckpt --out ~/ComfyUI/models/loras"""


def add_to(verbs: Any) -> None:
    """Adds the verb to the subparsers of the command line."""
    parser: argparse.ArgumentParser = verbs.add_parser(
        "convert",
        help="turn a pickle such as vdot_14b.pt into safetensors",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=_run)
    add = parser.add_argument
    add("source", type=Path, metavar="FILE", help="the .pt, .pth or .ckpt file")
    add("--out", type=Path, required=True, metavar="DIR", help="folder for the result, made if needed")
    add(
        "--dtype",
        choices=_PRECISIONS,
        default="bf16",
        help="of a model's linear layers; the rest is bf16 (%(default)s)",
    )
    add("--merged", action="store_true", help="one file, instead of the backbone and the edit module apart")
    add(
        "--vace-layers",
        type=option_values.blocks,
        metavar="N,N,...",
        help="for a model of unpublished size: the blocks that its VACE blocks belong to",
    )
    add(
        "--any-size",
        action="store_true",
        help="also a file that unpacks to more than 8 MiB beside its tensors, or whose tensors claim over twice its size",
    )


def _run(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    from reelpatch.edits.vace.module import LAYERS_KEY
    from reelpatch.media.output_check import refuse_inputs
    from reelpatch.weights.convert import convert, plan_conversion

    layers: tuple[int, ...] | None = options.vace_layers
    conversion = plan_conversion(
        options.source,
        options.dtype,
        merged=options.merged,
        module_metadata=None if layers is None else {LAYERS_KEY: ",".join(map(str, layers))},
        any_size=options.any_size,
    )
    if layers is not None and len(layers) != conversion.num_vace_blocks:
        raise BadInput(
            f"{options.source} has {conversion.num_vace_blocks} VACE blocks, but {len(layers)} blocks were named for "
            "them: name one for each (--vace-layers)."
        )
    for name in conversion.files:
        refuse_inputs(options.out / name, (("pickle", options.source),), "out")
    console.log.info("%s", conversion.describe())
    with console.progress_bars() as on_progress:
        files = convert(conversion, options.out, on_progress)
    answer = {
        "files": [str(path) for path in files],
        "model": conversion.model,
        "dtype": conversion.precision,
        "bytes": sum(path.stat().st_size for path in files),
    }
    return answer, "".join(f"{path}\n" for path in files)
