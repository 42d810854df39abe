"""What bf16 and fp16 in the VAE change: `python -m benchmarks.vae_dtypes`.

The demo on held-out scenes: how far frames that went through its VAE, and edits, are from those of fp32, beside how far the VAE's frames
are from the source at all (PSNR, in dB). The published size of Wan2.1's VAE with random weights: latents and frames against those of
fp32, as the ratio of their power to that of the difference (in dB). And the time of that VAE in channels-last order of memory
against the usual one, in processor seconds.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from math import log10

import torch
from diffusers import AutoencoderKLWan
from torch import Tensor

from reelpatch.clips.frames import as_clip, as_video
from reelpatch.headless.demo import scenes
from reelpatch.headless.editor import Editor
from reelpatch.headless.loaded_recipe import MachineOptions
from reelpatch.headless.models.wan_vae import Vae
from reelpatch.measure.likeness import psnr
from reelpatch.recipes import recipe

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
TURNS = 3


def power_db(found: Tensor, expected: Tensor) -> float:
    """The power of what was expected over that of the difference."""
    return 20 * log10(float(expected.double().norm() / (found.double() - expected.double()).norm()))


def on_the_demo(num_scenes: int, dtypes: Sequence[str]) -> Iterator[str]:
    examples = [scenes.example(scenes.HELD_OUT + number) for number in range(num_scenes)]
    clips = [torch.from_numpy(example.source) for example in examples]
    frames: dict[str, list[Tensor]] = {}
    edits: dict[str, list[Tensor]] = {}
    for name in dtypes:
        editor = Editor(recipe("demo"), machine=MachineOptions(vae_dtype=name))
        frames[name] = [as_clip(editor.vae.decode(editor.vae.encode(as_video(clip)))) for clip in clips]
        edits[name] = [
            editor.edit(clip, example.instruction, seed=example.seed)
            for clip, example in zip(clips, examples, strict=True)
        ]
        through, edited = (
            statistics.fmean(psnr(one, other) for one, other in zip(made[name], made["fp32"], strict=True))
            for made in (frames, edits)
        )
        source = statistics.fmean(psnr(one, clip) for one, clip in zip(frames[name], clips, strict=True))
        yield (
            f"demo, {num_scenes} scenes, {name}: frames {through:.1f} dB and edits {edited:.1f} dB to fp32; frames {source:.2f} dB "
            "to the source"
        )


def published_size(num_frames: int, side_px: int, dtypes: Sequence[str]) -> Iterator[str]:
    torch.manual_seed(0)
    state = AutoencoderKLWan().state_dict()
    video = torch.rand(3, num_frames, side_px, side_px) * 2 - 1
    latents = torch.randn(16, (num_frames - 1) // 4 + 1, side_px // 8, side_px // 8)
    made: dict[str, tuple[Tensor, Tensor]] = {}
    for name in dtypes:
        vae = _vae(state, DTYPES[name])
        made[name] = vae.encode(video), vae.decode(latents)
        encoded, decoded = (
            "the same" if torch.equal(one, other) else f"{power_db(one, other):.1f} dB"
            for one, other in zip(made[name], made["fp32"], strict=True)
        )
        yield f"random VAE of 127 million numbers, {name}: latents {encoded}, frames {decoded} to fp32"
    usual, last = _vae(state, torch.float32), _vae(state, torch.float32)
    channels_last(last.model)
    seconds: dict[str, list[float]] = {"usual": [], "channels last": []}
    for _ in range(TURNS):
        for name, vae in (("usual", usual), ("channels last", last)):
            began = time.process_time()
            vae.decode(latents)
            seconds[name].append(time.process_time() - began)
    ratio = min(seconds["channels last"]) / min(seconds["usual"])
    yield f"channels last, fp32, on this processor: {ratio:.2f} of the usual time to decode (least of {TURNS})"


def channels_last(model: AutoencoderKLWan) -> None:
    """Has convolutions hold their weights, and so make their results, in channels-last order."""
    orders = {4: torch.channels_last, 5: torch.channels_last_3d}
    for weight in model.parameters():
        if weight.ndim in orders:
            weight.data = weight.data.contiguous(memory_format=orders[weight.ndim])


def _vae(state: dict[str, Tensor], dtype: torch.dtype) -> Vae:
    model = AutoencoderKLWan()
    model.load_state_dict(state)
    for parameter in model.parameters():
        parameter.data = parameter.data.to(dtype)
    return Vae(model.eval())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=16)
    parser.add_argument("--frames", type=int, default=5)
    parser.add_argument("--side", type=int, default=64, metavar="PX")
    parser.add_argument(
        "--dtypes",
        nargs="*",
        choices=DTYPES,
        default=[*DTYPES],
        help="beside fp32; a CPU takes minutes in fp16",
    )
    options = parser.parse_args()
    dtypes = list(dict.fromkeys(["fp32", *options.dtypes]))
    for lines in (
        on_the_demo(options.scenes, dtypes),
        published_size(options.frames, options.side, dtypes),
    ):
        for line in lines:
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
