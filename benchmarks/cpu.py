"""What can be measured without a GPU: `python -m benchmarks.cpu`, or `make bench`. Ratios, in under ten minutes.

Contenders compute the same thing, which is checked before anything is timed; seconds hold for one machine only.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from benchmarks import before_after, results
from benchmarks.inside_comfyui import Absent, run_inside
from benchmarks.models import SMALL, make_contenders, make_inputs
from benchmarks.pieces import measure as in_pieces
from benchmarks.timing import Times, interleaved, ratio
from reelpatch.clips.bytes_and_floats import to_floats
from reelpatch.headless.editor import Editor
from reelpatch.headless.models.lora import apply_lora, remove_lora
from reelpatch.media.video_io import read_video
from reelpatch.recipes import recipe
from tests.unit.weights.fixtures import models as published
from tests.unit.weights.fixtures.files import write as write_sparse

ROOT = Path(__file__).parents[1]
CLIP = ROOT / "workflows/reelpatch_demo_clip.mp4"
CPU = torch.device("cpu")
LATENT = (3, 24, 24)  # 432 tokens
PIECED_TOKENS, PIECE = 4096, 2048
TURNS, LORA_TURNS, PROCESS_TURNS, EDIT_TURNS = 11, 7, 5, 3
RANK = 32
Section = dict[str, Any]


def forward() -> Section:
    """One forward of our edit on diffusers' backbone, and of diffusers' merged class."""
    contenders = make_contenders(SMALL, device=CPU, dtype=torch.float32)
    given = make_inputs(*LATENT, device=CPU, dtype=torch.float32)
    difference = results.check_agree(
        contenders.ours(given), contenders.theirs(given), at_most=1e-5, what="diffusers"
    )
    times = interleaved(
        {"ours": lambda: contenders.ours(given), "diffusers": lambda: contenders.theirs(given)}, turns=TURNS
    )
    return {"difference": difference, **_pair(times, "ours", "diffusers")}


def pieces() -> Section:
    """A forward with our edit over pieces of the tokens, and over all at once, in processor time of one thread."""
    return in_pieces(512, PIECED_TOKENS, PIECE, TURNS)


def lora() -> Section:
    """A LoRA of rank 32 on every linear layer of the blocks: put on and taken off, by us and by diffusers."""
    contenders = make_contenders(SMALL, device=CPU, dtype=torch.float32)
    backbone = contenders.backbone
    given = make_inputs(*LATENT, device=CPU, dtype=torch.float32)
    generator = torch.Generator().manual_seed(2)
    state: dict[str, torch.Tensor] = {}
    for key, tensor in backbone.state_dict().items():
        if key.startswith("blocks.") and key.endswith(".weight") and tensor.ndim == 2:
            rows, columns = tensor.shape
            layer = key.removesuffix(".weight")
            state[f"{layer}.lora_A.weight"] = torch.randn(RANK, columns, generator=generator) / 50
            state[f"{layer}.lora_B.weight"] = torch.randn(rows, RANK, generator=generator) / 50
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lora.safetensors"
        save_file({f"transformer.{key}": tensor for key, tensor in state.items()}, path)

        def ours() -> None:
            apply_lora(backbone, path)
            remove_lora(backbone)

        def diffusers() -> None:
            backbone.load_lora_adapter(load_file(path), prefix="transformer")
            backbone.unload_lora()

        plain = contenders.theirs(given)
        apply_lora(backbone, path)
        with_ours = contenders.ours(given)
        remove_lora(backbone)
        results.check_agree(contenders.ours(given), plain, at_most=1e-5, what="LoRA taken off")
        backbone.load_lora_adapter(load_file(path), prefix="transformer")
        with_theirs = contenders.ours(given)
        backbone.unload_lora()
        difference = results.check_agree(with_ours, with_theirs, at_most=1e-5, what="LoRA")
        times = interleaved({"ours": ours, "diffusers": diffusers}, turns=LORA_TURNS)
    return {"difference": difference, "layers": len(state) // 2, **_pair(times, "ours", "diffusers")}


def comfyui() -> Section:
    """Four steps with guidance in ComfyUI: our edit on a backbone, and core's merged VACE model."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            return run_inside("benchmarks.comfyui_speed", Path(folder))
        except Absent as reason:
            return {"skipped": str(reason)}


def load() -> Section:
    """A backbone of 14B in fp8 that takes no room on disk: time to a plan and to a model, and memory."""
    with tempfile.TemporaryDirectory() as folder:
        shapes = published.t2v_14b()
        infos = {key: (_published_dtype(key), shape) for key, shape in shapes.items()}
        path = write_sparse(Path(folder) / "wan2.1_t2v_14B_fp8_e4m3fn.safetensors", infos)
        runs = [
            json.loads(_output([sys.executable, "-m", "benchmarks.sparse_load", str(path)]))
            for _ in range(PROCESS_TURNS)
        ]
    middle = sorted(runs, key=lambda run: run["load_s"])[len(runs) // 2]
    return middle | {
        "to_a_plan": Times(tuple(run["to_a_plan_s"] for run in runs)).as_dict(),
        "load": Times(tuple(run["load_s"] for run in runs)).as_dict(),
    }


def imports() -> Section:
    """How long the engine takes to import once torch is there, and the command line to answer."""
    engine = (
        "import time, torch; began = time.perf_counter(); import reelpatch.edits.vace.module, reelpatch.sampling.solvers, "
        "reelpatch.edits.vace.context, reelpatch.recipes; print(time.perf_counter() - began)"
    )
    answers = [float(_output([sys.executable, "-c", engine])) for _ in range(PROCESS_TURNS)]
    helped: list[float] = []
    for _ in range(PROCESS_TURNS):
        began = time.perf_counter()
        _output([sys.executable, "-m", "reelpatch", "--help"])
        helped.append(time.perf_counter() - began)
    return {
        "engine_after_torch": Times(tuple(answers)).as_dict(),
        "help": Times(tuple(helped)).as_dict(),
    }


def edit() -> Section:
    """The demo's edit from frames to frames, with weights loaded; and which part of it each stage takes."""
    clip = to_floats(read_video(CLIP, folder_fps=Fraction(8)).frames)
    editor = Editor(recipe("demo"))
    editor.edit(clip, "make it sepia")
    totals: list[float] = []
    shares: dict[str, list[float]] = {}
    for seed in range(EDIT_TURNS):
        marks: dict[str, list[float]] = {}
        began = time.perf_counter()

        def mark(stage: str, _done: int, _total: int, marks: dict[str, list[float]] = marks) -> None:
            marks.setdefault(stage, []).append(time.perf_counter())

        editor.edit(clip, "make it sepia", seed=seed, on_progress=mark)
        totals.append(time.perf_counter() - began)
        for stage, times in marks.items():
            shares.setdefault(stage, []).append((times[-1] - times[0]) / totals[-1])
    return {
        "edit": Times(tuple(totals)).as_dict(),
        "share": {stage: sum(values) / len(values) for stage, values in shares.items()},
    }


def leaner() -> Section:
    """What was made leaner, with and without it."""
    return {"rows": [row.as_dict() for row in before_after.measure()]}


SECTIONS: dict[str, Callable[[], Section]] = {
    "forward": forward,
    "pieces": pieces,
    "comfyui": comfyui,
    "lora": lora,
    "load": load,
    "imports": imports,
    "edit": edit,
    "leaner": leaner,
}


def table(found: dict[str, Section]) -> list[str]:
    """The figures as Markdown."""
    lines = ["# Measured on a CPU", ""]
    lines += [f"{name}: {value}  " for name, value in found["machine"].items() if value is not None]
    lines += ["", "| what | ours / other, median (p10-p90) | outputs differ by |", "|---|---|---|"]
    for name, what in (
        ("forward", "a forward, against diffusers' WanVACETransformer3DModel"),
        (
            "pieces",
            f"a forward over pieces of {PIECE} of {PIECED_TOKENS} tokens, against all at once, in processor time",
        ),
        ("comfyui", "4 steps with guidance in ComfyUI, against core's merged VACE"),
        ("lora", "a LoRA put on and taken off, against diffusers' loader"),
    ):
        section = found[name]
        if "skipped" in section:
            lines.append(f"| {what} | not measured: {section['skipped']} | |")
            continue
        low, high = section["ratio_p10"], section["ratio_p90"]
        lines.append(
            f"| {what} | {section['ratio']:.3f} ({low:.3f}-{high:.3f}) | {section['difference']:.1e} |"
        )
    load_found, imported, edited = found["load"], found["imports"], found["edit"]
    parts = ", ".join(f"{stage} {share:.0%}" for stage, share in edited["share"].items())
    lines += [
        "",
        "| what | measured |",
        "|---|---|",
        f"| a {load_found['file_gb']:.1f} GB fp8 file: to a plan | {_seconds(load_found['to_a_plan'])} |",
        f"| the same file: to a model | {_seconds(load_found['load'])} |",
        f"| anonymous memory added by it | {load_found['anonymous_growth_mb']:.0f} MB, "
        f"{load_found['anonymous_growth_of_file']:.2%} of the file |",
        f"| import of the engine after torch | {_seconds(imported['engine_after_torch'])} |",
        f"| `reelpatch --help` | {_seconds(imported['help'])} |",
        f"| the demo's edit, weights loaded | {_seconds(edited['edit'])}: {parts} |",
        "",
        *before_after.lines(found["leaner"]["rows"]),
    ]
    return lines


def _seconds(times: dict[str, float]) -> str:
    return f"{times['median_s']:.2f} s ({times['p10_s']:.2f}-{times['p90_s']:.2f})"


def _pair(times: dict[str, Times], ours: str, theirs: str) -> Section:
    return {name: one.as_dict() for name, one in times.items()} | ratio(times[ours], times[theirs])


def _published_dtype(key: str) -> str:
    is_matrix = key.startswith("blocks.") and key.endswith(".weight") and "norm" not in key
    return "F8_E4M3" if is_matrix else "BF16"


def _output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout


def main() -> None:
    found: dict[str, Any] = {"machine": results.machine()}
    for name, section in SECTIONS.items():
        began = time.perf_counter()
        found[name] = section()
        sys.stderr.write(f"{name}: {time.perf_counter() - began:.0f} s\n")
    lines = table(found)
    results.write("cpu", found, lines)
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
