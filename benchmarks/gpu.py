"""What one GPU does at full size: `python -m benchmarks.gpu`, in 40 GB of memory.

Weights are random and made on the fly (14B and its edit module); nothing is downloaded. `--tiny --device cpu` runs the
same code, to see that it works. Outputs are compared before anything is timed. `--only` measures some of it; results
are written after each section, so that a run which is stopped keeps what it has.
"""

import argparse
import sys
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKLWan
from torch import Tensor
from torch.nn import functional

from benchmarks import results, seams
from benchmarks.attention_kernels import attention_kernels
from benchmarks.gpu_table import table
from benchmarks.memory_caps import memory_caps
from benchmarks.models import FULL, TINY, Contenders, Inputs, Sizes, make_contenders, make_inputs
from benchmarks.timing import Times, interleaved, ratio
from benchmarks.vae_dtypes import channels_last
from reelpatch.edits.vace.counts import EditModule
from reelpatch.edits.vace.edit import VaceContext, VaceEdit
from reelpatch.families.wan.family import WAN
from reelpatch.families.wan.transformer_counts import Transformer
from reelpatch.headless.hosts.denoiser import Denoiser
from reelpatch.headless.models.float8_products import WEIGHTS, float8_linear
from reelpatch.headless.models.wan_vae import Vae
from reelpatch.recipes import recipe
from reelpatch.sampling.guidance import Guidance
from reelpatch.sampling.schedules import make_sigmas
from reelpatch.sampling.solvers import sample_flow_unipc

Section = dict[str, Any]
OnSection = Callable[[Section], None]
# In the order in which they run; those of contenders share their weights.
OF_CONTENDERS = ("forwards", "edits")
SECTIONS = ("products", *OF_CONTENDERS, "attention", "caps", "vae", "seams")
PRODUCT_ERROR = 0.05  # of products in fp8, by norm
FULL_VAE_DIM = 96


@dataclass(frozen=True)
class Setting:
    """What is run: at full size the clips of Ditto, 832x480 with 17 and 73 frames."""

    device: torch.device
    dtype: torch.dtype
    sizes: Sizes
    short: tuple[int, int, int]  # latent frames, rows, columns
    long: tuple[int, int, int]
    matmul: int
    vae_dim: int
    video: tuple[int, int, int]  # frames, height, width
    turns: int
    agree: float

    @classmethod
    def of(cls, device: torch.device, *, is_tiny: bool) -> "Setting":
        if is_tiny:
            return cls(
                *(device, torch.float32, TINY, (2, 4, 6), (3, 4, 6)), 256, 8, (9, 32, 48), turns=2, agree=1e-5
            )
        return cls(
            *(device, torch.bfloat16, FULL, (5, 60, 104), (19, 60, 104)),
            8192,
            FULL_VAE_DIM,
            (73, 480, 832),
            turns=3,
            agree=1e-2,
        )

    @property
    def wait(self) -> Callable[[], None]:
        """Until the device has done all that it was given."""
        return torch.cuda.synchronize if self.device.type == "cuda" else lambda: None

    def inputs(self, shape: tuple[int, int, int]) -> Inputs:
        return make_inputs(*shape, device=self.device, dtype=self.dtype)

    def forward_flops(self, shape: tuple[int, int, int]) -> int:
        """Of one forward with the edit, by the plan's count."""
        sizes = self.sizes
        backbone = Transformer(sizes.dim, sizes.ffn_dim, sizes.num_layers)
        frames, rows, columns = shape
        tokens = WAN.lattice.grid(frames, rows, columns).tokens
        module = EditModule(backbone, num_blocks=len(sizes.layers))
        return (backbone.flops(tokens) + module.flops(tokens)).total


def ceiling(setting: Setting) -> float:
    """FLOP/s of a large square matmul in the dtype of the run, of random numbers."""
    side = setting.matmul
    generator = torch.Generator(setting.device).manual_seed(0)
    one, other = (
        torch.randn(side, side, device=setting.device, dtype=setting.dtype, generator=generator)
        for _ in range(2)
    )
    times = interleaved({"matmul": lambda: one @ other}, turns=20, warm_up=5, wait=setting.wait)
    return 2 * side**3 / times["matmul"].median


def forwards(setting: Setting, contenders: Contenders, top: float) -> Section:
    """One forward of ours and of diffusers' class, for the short clip and the long one."""
    found: Section = {}
    for name, shape in (("17 frames", setting.short), ("73 frames", setting.long)):
        given = setting.inputs(shape)
        difference = results.check_agree(
            contenders.ours(given), contenders.theirs(given), at_most=setting.agree, what=name
        )
        times = interleaved(
            {
                "ours": lambda given=given: contenders.ours(given),
                "diffusers": lambda given=given: contenders.theirs(given),
            },
            turns=setting.turns,
            wait=setting.wait,
        )
        flops = setting.forward_flops(shape)
        found[name] = {
            "difference": difference,
            "tflop": flops / 1e12,
            **{who: one.as_dict() | _rate(flops, one, top) for who, one in times.items()},
            **ratio(times["ours"], times["diffusers"]),
            "peak_allocated_gib": {
                "ours": _peak(setting, lambda given=given: contenders.ours(given)),
                "diffusers": _peak(setting, lambda given=given: contenders.theirs(given)),
            },
        }
    return found


def edits(setting: Setting, contenders: Contenders, top: float) -> Section:
    """Four steps on the long clip: with guidance at every step (8 forwards), and at the first alone (5)."""
    ditto, given = recipe("ditto-global"), setting.inputs(setting.long)
    sigmas = make_sigmas(ditto.schedule, 4, shift=ditto.shift)

    def sample(guidance: Guidance) -> Tensor:
        denoiser = Denoiser(
            *(contenders.backbone, given.text, sigmas, given.text.roll(1, 1)),
            edits=[VaceEdit(contenders.module, [VaceContext(given.context, ditto.strength)])],
            guidance=guidance,
        )
        return sample_flow_unipc(denoiser, given.latents, sigmas)

    found: Section = {}
    flops = setting.forward_flops(setting.long)
    for name, guidance, passes in (
        ("guidance at all 4 steps", Guidance(1.2), 8),
        ("guidance at the first step", Guidance(1.2, steps=(0,)), 5),
    ):
        times = interleaved(
            {"edit": lambda guidance=guidance: sample(guidance)},
            turns=max(1, setting.turns // 2),
            warm_up=0,  # forwards of this length were run before
            wait=setting.wait,
        )["edit"]
        found[name] = times.as_dict() | {"forwards": passes} | _rate(passes * flops, times, top)
    return found


def products(setting: Setting) -> Section:
    """A feed-forward layer of fp8 weights over the long clip's tokens: widened for each use, and multiplied in fp8."""
    frames, rows, columns = setting.long
    tokens = WAN.lattice.grid(frames, rows, columns).tokens
    generator = torch.Generator(setting.device).manual_seed(0)
    x, weight = (
        torch.randn(count, setting.sizes.dim, device=setting.device, dtype=setting.dtype, generator=generator)
        for count in (tokens, setting.sizes.ffn_dim)
    )
    weight = weight.to(WEIGHTS)
    runs = {
        "widened": lambda: functional.linear(x, weight.to(x.dtype)),
        "fp8": lambda: float8_linear(x, weight, None, None),
    }
    wanted = runs["widened"]().float()
    error = float((runs["fp8"]().float() - wanted).norm() / wanted.norm())
    if not error < PRODUCT_ERROR:
        raise results.Disagree(f"products in fp8 are {error:.3f} off, more than {PRODUCT_ERROR}.")
    times = interleaved(runs, turns=4 * setting.turns, wait=setting.wait)
    return {
        "relative_error": error,
        **{name: one.as_dict() for name, one in times.items()},
        **ratio(times["fp8"], times["widened"]),
    }


def vae(setting: Setting) -> Section:
    """A clip through a VAE of random weights: encoded and decoded in fp32, as it is run, in bf16, and in channels-last order."""
    frames, height, width = setting.video
    video = torch.rand(3, frames, height, width, device=setting.device) * 2 - 1
    found: Section = {}
    for name, dtype, is_last in (
        ("fp32", torch.float32, False),
        ("bf16", torch.bfloat16, False),
        ("fp32, channels last", torch.float32, True),
    ):
        torch.manual_seed(0)
        model = AutoencoderKLWan(base_dim=setting.vae_dim).eval()
        for weight in model.parameters():
            weight.data = weight.data.to(setting.device, dtype)
        if is_last:
            channels_last(model)
        one = Vae(model)
        latents = one.encode(video)
        runs = {"encode": partial(one.encode, video), "decode": partial(one.decode, latents)}
        for stage, run in runs.items():
            peak = _peak(setting, run)  # which warms up too
            timed = interleaved({stage: run}, turns=2, warm_up=0, wait=setting.wait)[stage]
            found[f"{stage}, {name}"] = timed.as_dict() | {"peak_allocated_gib": peak}
    return found


def kernels(setting: Setting) -> Section:
    """Self-attention over the long clip's tokens."""
    frames, rows, columns = setting.long
    tokens = WAN.lattice.grid(frames, rows, columns).tokens
    heads = setting.sizes.dim // WAN.head_dim
    return attention_kernels(
        *(tokens, heads, setting.device, setting.dtype), turns=setting.turns, wait=setting.wait
    )


def tiles(setting: Setting) -> Section:
    """How far tiles of the VAE show on this device."""
    clips, side_px = (1, 272) if setting.vae_dim < FULL_VAE_DIM else (4, 448)
    return dict(seams.measure(clips, side_px, 1, setting.device))


def _rate(flops: int, times: Times, top: float) -> Section:
    rate = flops / times.median
    # A rate above what a bare matmul reaches means that something was not computed. At tiny sizes it says nothing.
    if flops > 1e12 and rate > top:
        raise results.Disagree(f"{rate / 1e12:.0f} TFLOP/s are above the {top / 1e12:.0f} of a matmul.")
    return {"tflop_per_s": rate / 1e12, "of_matmul": rate / top}


def _peak(setting: Setting, run: Callable[[], object]) -> float | None:
    """Of memory that PyTorch has handed out, in GiB, weights included."""
    if setting.device.type != "cuda":
        return None
    torch.cuda.reset_peak_memory_stats()
    run()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() / 2**30


def measure(setting: Setting, only: Collection[str] = (), on_section: OnSection = lambda _: None) -> Section:
    """The sections, all or only these; each leaves the memory that it took. `on_section` gets all that there is after each."""
    found: Section = {"machine": results.machine()}
    top = ceiling(setting)
    found["matmul_tflop_per_s"] = top / 1e12
    contenders: list[Contenders] = []

    def lent() -> Contenders:
        if not contenders:
            contenders.append(make_contenders(setting.sizes, device=setting.device, dtype=setting.dtype))
        return contenders[0]

    runs: dict[str, Callable[[], Section]] = {
        "products": lambda: products(setting),
        "forwards": lambda: forwards(setting, lent(), top),
        "edits": lambda: edits(setting, lent(), top),
        "attention": lambda: kernels(setting),
        "vae": lambda: vae(setting),
        "seams": lambda: tiles(setting),
        "caps": lambda: memory_caps(
            setting.sizes, setting.inputs(setting.long), setting.device, setting.wait
        ),
    }
    for name in SECTIONS:
        if only and name not in only:
            continue
        if name not in OF_CONTENDERS:
            contenders.clear()
        found[name] = _timed(name, runs[name])
        on_section(found)
    return found


def _timed(name: str, section: Callable[[], Any]) -> Any:
    began = time.perf_counter()
    found = section()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    sys.stderr.write(f"{name}: {time.perf_counter() - began:.0f} s\n")
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda", help="%(default)s, or cpu with --tiny")
    parser.add_argument("--tiny", action="store_true", help="the same at a size that any machine can run")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=SECTIONS,
        default=(),
        metavar="SECTION",
        help=f"of {', '.join(SECTIONS)} (all)",
    )
    parser.add_argument("--out", type=Path, default=results.FOLDER, metavar="DIR", help="where results go")
    options = parser.parse_args(arguments)
    device = torch.device(options.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        parser.error("there is no CUDA device here: use --tiny --device cpu to try the code.")
    if device.type != "cuda" and not options.tiny:
        parser.error("the full size takes a CUDA device: use --tiny to try the code without one.")
    name = "gpu_tiny" if options.tiny else "gpu"
    title = "Tiny sizes: these figures say nothing of speed" if options.tiny else "Measured on a GPU"

    def write(found: Section) -> None:
        results.write(name, found, table(found, title), options.out)

    found = measure(Setting.of(device, is_tiny=options.tiny), options.only, write)
    sys.stdout.write("\n".join(table(found, title)) + "\n")


if __name__ == "__main__":
    main()
