"""What hooks that move weights cost by themselves, and what they add to RAM: `python -m benchmarks.offloading`.

On a CPU there is nowhere to send weights to, so this is the time of the hooks alone; sending ahead needs a GPU
(`benchmarks.gpu`). Outputs are compared first.
"""

import sys
from collections.abc import Callable
from functools import partial

import torch
from accelerate import cpu_offload

from benchmarks import results
from benchmarks.models import SMALL, Contenders, make_contenders, make_inputs
from benchmarks.sparse_load import private_bytes
from benchmarks.timing import interleaved, ratio
from reelpatch.headless.models.streaming import stream_blocks

CPU = torch.device("cpu")
TURNS = 11


def _hooked_by_accelerate(models: Contenders) -> None:
    for block in (*models.backbone.blocks, *models.module.vace_blocks):
        cpu_offload(block, execution_device=CPU)


def _hooked_by_diffusers(models: Contenders) -> None:
    stream_blocks(models.backbone, list(models.backbone.blocks), CPU)
    stream_blocks(models.module, list(models.module.vace_blocks), CPU)


def main() -> None:
    given = make_inputs(3, 24, 24, device=CPU, dtype=torch.float32)
    runs: dict[str, Callable[[], object]] = {}
    added: dict[str, float] = {}
    for name, hook in (
        ("plain", None),
        ("accelerate", _hooked_by_accelerate),
        ("diffusers", _hooked_by_diffusers),
    ):
        models = make_contenders(SMALL, device=CPU, dtype=torch.float32)
        before = private_bytes()
        if hook is not None:
            hook(models)
        added[name] = (private_bytes() - before) / 1e6
        runs[name] = partial(models.ours, given)
    expected = make_contenders(SMALL, device=CPU, dtype=torch.float32).ours(given)
    for name, run in runs.items():
        found = run()
        assert isinstance(found, torch.Tensor)
        results.check_agree(found, expected, at_most=0.0, what=name)
    times = interleaved(runs, turns=TURNS)
    for name in ("accelerate", "diffusers"):
        compared = ratio(times[name], times["plain"])
        sys.stdout.write(
            f"{name}: {compared['ratio']:.3f} ({compared['ratio_p10']:.3f}-{compared['ratio_p90']:.3f}) of a forward "
            f"without hooks, {added[name]:.0f} MB more of RAM\n"
        )


if __name__ == "__main__":
    main()
