"""The options of how an edit is run, which `edit` and `task` have in common."""

from pathlib import Path
from typing import Any

from reelpatch.headless import option_values


def add_run_options(add: Any) -> None:
    """Seed, steps, guidance, strength and window; `add` is the `add_argument` of a group."""
    add("--seed", type=int, default=0, metavar="N", help="start of the noise (%(default)s)")
    add("--steps", type=int, metavar="N", help="denoising steps (the recipe's)")
    add("--guidance", type=float, metavar="X", help="1 for none; more follows the text closer (the recipe's)")
    add("--strength", type=float, metavar="X", help="of the edit module, 0 to 1 (the recipe's)")
    add(
        "--window",
        type=option_values.window,
        metavar="A,B",
        help="part of the run in which the edit acts (the recipe's)",
    )


def add_machine_options(add: Any) -> None:
    """Where the weights are, and what computes; `add` as above."""
    add("--models", type=Path, metavar="DIR", help="models folder of ComfyUI's layout ($COMFYUI_PATH/models)")
    add("--device", default="auto", metavar="NAME", help="cpu, cuda, cuda:1, ... (%(default)s)")
    add("--dtype", default="auto", metavar="NAME", help="bf16, fp16, fp32 (%(default)s); fp8 files stay fp8")
