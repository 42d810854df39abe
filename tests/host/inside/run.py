"""Runs inside ComfyUI: loads the pack as ComfyUI does, runs every `check_*` of a file beside it, writes what came out.

Arguments: results file, models folder, name of the file with the checks, then ComfyUI's own options. A check passes when
it returns; what it returns (numbers, words) is kept beside its name.
"""

import asyncio
import importlib
import json
import sys
import traceback
from pathlib import Path

results_path, models, checks = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
options = sys.argv[4:]
sys.argv = ["host", *options, "--base-directory", str(results_path.parent)]

import comfy.options  # noqa: E402 -- reads the command line before anything of comfy is imported

comfy.options.enable_args_parsing()
if "--cpu" not in options:
    # As ComfyUI starts on a card: what it is started by also turns on its memory manager (DynamicVRAM).
    (results_path.parent / "custom_nodes").mkdir(exist_ok=True)
    import main as started  # noqa: F401
import folder_paths  # noqa: E402
import torch  # noqa: E402

import nodes  # noqa: E402

ROOT = Path(__file__).parents[3]


def main() -> None:
    if "--cpu" in options:
        torch.set_num_threads(1)
    for folder in models.iterdir():
        folder_paths.add_model_folder_path(folder.name, str(folder))
    asyncio.run(nodes.init_extra_nodes(init_custom_nodes=False, init_api_nodes=False))
    assert asyncio.run(nodes.load_custom_node(str(ROOT))), "ComfyUI could not load the pack"
    module = importlib.import_module(checks)
    results = {}
    for name in (name for name in vars(module) if name.startswith("check_")):
        try:
            # ComfyUI executes whole prompts in inference mode.
            with torch.inference_mode():
                results[name] = {"passed": True, "value": getattr(module, name)()}
        except Exception:
            results[name] = {"passed": False, "value": traceback.format_exc()}
    results_path.write_text(json.dumps(results))


main()
