"""The options of how a recipe is run, which `edit`, `task` and `enhance` have in common."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reelpatch.errors import BadInput
from reelpatch.headless.commands import option_values
from reelpatch.headless.hosts.ranks.torchrun import WAYS

if TYPE_CHECKING:
    from reelpatch.clips.frames import Method
    from reelpatch.clips.mask_rule import AskedMask

# As in `reelpatch.clips.frames`, which needs torch and would slow down --help.
FITS: tuple[Method, ...] = ("pad", "crop", "stretch", "area")


def add_run_options(add: Any) -> None:
    """Seed, steps, guidance, and how the edit acts; `add` is the `add_argument` of a group."""
    add_seed(add)
    add("--steps", type=option_values.steps, metavar="N", help="denoising steps (the recipe's)")
    add_guidance(add)
    add(
        "--strength", type=option_values.number, metavar="X", help="of the edit module, 0 to 1 (the recipe's)"
    )
    add(
        "--window",
        type=option_values.window,
        metavar="A,B",
        help="part of the run in which the edit acts (the recipe's)",
    )
    add(
        "--skip-hints",
        action="store_true",
        help=(
            "where the recipe skips a block in the negative pass, leave out the hint that follows it too, as "
            "WanVideoWrapper does"
        ),
    )


def add_seed(add: Any) -> None:
    """Seed; `add` as above."""
    add("--seed", type=option_values.seed, default=0, metavar="N", help="start of the noise (%(default)s)")


def add_guidance(add: Any) -> None:
    """Guidance; `add` as above."""
    add(
        "--guidance",
        type=option_values.number,
        metavar="X",
        help="1 for none; more follows the text closer (the recipe's)",
    )
    add(
        "--guidance-steps",
        type=option_values.steps,
        metavar="N",
        help="guidance at the first N steps alone: the others take one pass in place of two, and the result is another (the recipe's)",
    )


def add_half_size(add: Any) -> None:
    """Steps at half the size; `add` as above."""
    add(
        "--half-size-steps",
        type=option_values.steps,
        metavar="N",
        help="the first N steps at half the size, for less arithmetic and another result (none)",
    )


def add_fps(add: Any) -> None:
    """How many frames of a folder make a second; `add` as above."""
    add(
        "--fps",
        type=option_values.fps,
        metavar="RATE",
        help="of a folder of images, such as 24 or 30000/1001 (the recipe's)",
    )


def add_references(add: Any) -> None:
    """Pictures to look at; `add` as above."""
    add(
        "--reference",
        type=Path,
        action="append",
        default=[],
        metavar="IMAGE",
        help="may be given several times",
    )


def add_fit(add: Any, default: Method | None = None) -> None:
    """How a clip is brought to size, None for not at all; `add` as above."""
    add(
        "--fit",
        nargs="?",
        const="pad",
        choices=FITS,
        default=default,
        help=(
            "bring the clip to a legal size and length, and undo it in the result: pad with its own edges, crop, stretch, "
            "or area, the legal size of its own shape with the pixels of --size or of the recipe (pad)"
        ),
    )


def add_lora_options(add: Any) -> None:
    """LoRAs and how they are added; `add` as above."""
    add(
        "--lora",
        dest="loras",
        type=option_values.lora,
        action="append",
        default=[],
        metavar="FILE[:X[,X...]]",
        help="add a LoRA at strength X (1); several X share the steps; may be given several times",
    )
    add(
        "--lora-merge",
        action="store_true",
        help="merge all LoRAs into the weights, fp8 by stochastic rounding",
    )


def add_window_options(add: Any) -> None:
    """How clips longer than a window are cut up; `add` as above."""
    add(
        "--window-frames",
        type=option_values.whole,
        metavar="N",
        help=(
            "work on longer clips in windows of N frames, 4n + 1, with the memory of one (the recipe's length, unless "
            "--frames is given); 0: on the whole clip at once"
        ),
    )
    add(
        "--overlap",
        type=option_values.whole,
        metavar="N",
        help="how many frames, 4n + 1, windows share (a quarter of a window, 5 at least)",
    )


def add_accept_damage(add: Any) -> None:
    """Whether a damaged clip is worked on; `add` as above."""
    add(
        "--accept-damage",
        action="store_true",
        help="work on a damaged clip too, its hurt frames as they decode (refused, with how many there are)",
    )


def add_mask(add: Any, *, white: str) -> None:
    """A mask, where `white` is what is done to its white parts, and what of its file is meant; `add` as above."""
    add(
        "--mask",
        type=Path,
        metavar="FILE",
        help=(
            f"image, clip or folder of the clip's size, of which white is {white} and what is taken is said; or a mask track "
            "(.json), which says where and when"
        ),
    )
    add_mask_options(add)


def add_mask_options(add: Any) -> None:
    """What of a mask's file is meant; `add` as above."""
    add(
        "--mask-channel",
        default="auto",
        metavar="NAME",
        help=(
            "what of the mask marks what is edited: luma, inverse-luma, alpha, inverse-alpha, red, green, blue, labels "
            "(every colour but black), or auto, which is said"
        ),
    )
    add(
        "--mask-threshold",
        type=option_values.number,
        metavar="X",
        help="from which part of the mask's scale on it is edited, 0 to 1; 0 takes soft values as they are (found out)",
    )


def chosen_mask(options: argparse.Namespace) -> AskedMask:
    """What the options of `add_mask_options` say. Raises: `BadInput` as `AskedMask`, and for options without a mask."""
    from reelpatch.clips.mask_rule import AskedMask

    asked = AskedMask(options.mask_channel, options.mask_threshold)
    if asked.is_any and options.mask is None:
        raise BadInput(
            "it was said how a mask is meant, but none was given: give one, or leave that out.",
            setting=("mask", "mask_channel", "mask_threshold"),
        )
    return asked


def add_lossless(add: Any) -> None:
    """How the result is written; `add` as above."""
    add("--lossless", action="store_true", help="an mp4 that keeps every bit; not for browsers")


def add_machine_options(add: Any) -> None:
    """Where the weights are, and what computes; `add` as above."""
    add("--models", type=Path, metavar="DIR", help="models folder of ComfyUI's layout ($COMFYUI_PATH/models)")
    add("--device", default="auto", metavar="NAME", help="cpu, cuda, cuda:1, ... (%(default)s)")
    add("--dtype", default="auto", metavar="NAME", help="bf16, fp16, fp32 (%(default)s); fp8 files stay fp8")
    add_vae_dtype(add)
    add(
        "--vram-limit",
        type=option_values.number,
        metavar="GIB",
        help="use no more of the card; what has no room is sent to it as it is needed (all of the card)",
    )
    add(
        "--fp8-matmul",
        action="store_true",
        help="multiply fp8 weights in fp8 where the card can (RTX 40, Hopper): faster, a little less exact",
    )
    add(
        "--no-text-cache",
        dest="text_cache",
        action="store_false",
        help="do not keep what a large text encoder makes of an instruction on disk",
    )


def add_vae_dtype(add: Any) -> None:
    """What the VAE computes in; `add` as above."""
    add(
        "--vae-dtype",
        default="fp32",
        metavar="NAME",
        help="what the VAE computes in: fp32 as published, or bf16 or fp16 in half the memory (%(default)s)",
    )


def add_parallel(add: Any) -> None:
    """How processes share one clip; `add` as above."""
    add(
        "--parallel",
        choices=WAYS,
        metavar="WAY",
        help=(
            "how the processes that torchrun starts for one clip attend over all of it: ulysses, ring, or auto, which is ulysses "
            "where they divide the heads (auto)"
        ),
    )


def add_run(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("how it is run").add_argument
    add_run_options(add)
    add_lora_options(add)
    add_machine_options(add)
    add_parallel(add)
