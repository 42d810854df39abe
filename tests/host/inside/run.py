"""Runs inside ComfyUI: loads the pack as ComfyUI does, runs every `check_*` of files beside it, writes what came out.

Arguments: folder for the results, which is ComfyUI's base too, models folder, names of the files with the checks (a,b,c), then
ComfyUI's own options. A check passes when it returns; what it returns (numbers, words) is kept beside its name, in a JSON file
named after the file with the check. With several files, ComfyUI starts once, and each runs in a process forked from it, with
what it says in a `.log` beside its results; nothing that one leaves in folders is there for the next.
"""

import asyncio
import gc
import importlib
import json
import os
import shutil
import sys
import time
import traceback
from pathlib import Path

folder, models, checks = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3].split(",")
options = sys.argv[4:]
sys.argv = ["host", *options, "--base-directory", str(folder)]

gc.disable()  # what the imports make is no garbage
import comfy.options  # noqa: E402 -- reads the command line before anything of comfy is imported

comfy.options.enable_args_parsing()
if "--cpu" not in options:
    # As ComfyUI starts on a card: what it is started by also turns on its memory manager (DynamicVRAM).
    (folder / "custom_nodes").mkdir(exist_ok=True)
    import main as started  # noqa: F401
import folder_paths  # noqa: E402
import torch  # noqa: E402

import nodes  # noqa: E402

ROOT = Path(__file__).parents[3]
STARTED = {}  # how much of the processor's time ComfyUI's own start took, how much the pack's, and which modules that drew in


def main() -> None:
    if "--cpu" in options:
        torch.set_num_threads(1)
    for place in models.iterdir():
        folder_paths.add_model_folder_path(place.name, str(place))
    asyncio.run(nodes.init_extra_nodes(init_custom_nodes=False, init_api_nodes=False))
    host_s, known = time.process_time(), set(sys.modules)
    assert asyncio.run(nodes.load_custom_node(str(ROOT))), "ComfyUI could not load the pack"
    STARTED.update(host_s=host_s, pack_s=time.process_time() - host_s, modules=set(sys.modules) - known)
    gc.freeze()  # so that a collection in a fork copies none of the memory that all share
    gc.enable()
    if len(checks) == 1:
        run_checks(checks[0])
        return
    standing = set(folder.rglob("*"))
    for name in checks:
        forked(name)
        standing |= {folder / f"{name}.json", folder / f"{name}.log"}
        for path in set(folder.rglob("*")) - standing:
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def forked(name: str) -> None:
    """Runs a file's checks in a process of their own, and waits for its end."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    code = 1
    try:
        log = os.open(folder / f"{name}.log", os.O_WRONLY | os.O_CREAT)
        os.dup2(log, 1)
        os.dup2(log, 2)
        run_checks(name)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def run_checks(name: str) -> None:
    """Runs the checks of one file."""
    module = importlib.import_module(name)
    results = {}
    for check in (check for check in vars(module) if check.startswith("check_")):
        try:
            # ComfyUI executes whole prompts in inference mode.
            with torch.inference_mode():
                results[check] = {"passed": True, "value": getattr(module, check)()}
        except Exception:
            results[check] = {"passed": False, "value": traceback.format_exc()}
    (folder / f"{name}.json").write_text(json.dumps(results))


main()
