"""The verb `plan`: what an edit would take, told before anything is loaded."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from reelpatch.errors import BadInput
from reelpatch.headless.commands import option_values
from reelpatch.headless.commands.run_options import add_fit, add_guidance, add_half_size, add_vae_dtype


def add_to(verbs: Any) -> None:
    """Adds the verb to the command line."""
    parser: argparse.ArgumentParser = verbs.add_parser(
        "plan", help="memory, work and time of an edit, beforehand"
    )
    parser.set_defaults(run=run)
    _add_work(parser)
    group = parser.add_argument_group("machine; this one unless said otherwise")
    add = group.add_argument
    add("--vram", type=option_values.number, metavar="GiB", help="memory of the card")
    add("--ram", type=option_values.number, metavar="GiB", help="memory of the machine")
    add(
        "--card",
        metavar="NAME",
        help="such as 'RTX 4090', for its times alone; its memory unless --vram is given",
    )
    add(
        "--dtype",
        default="auto",
        metavar="NAME",
        help="fp8 for files in fp8; bf16, fp16, fp32 (the recipe's files)",
    )
    add_vae_dtype(add)
    add(
        "--cards",
        type=option_values.whole,
        default=1,
        metavar="N",
        help="such cards that share one clip under torchrun (%(default)s)",
    )
    add("--offload", default="auto", metavar="WAY", help="none, stream, or whichever is needed (%(default)s)")
    add(
        "--models",
        type=Path,
        metavar="DIR",
        help="models folder; files found there count with their real sizes",
    )


def _add_work(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("clip", type=Path, nargs="?", metavar="CLIP", help="a clip whose size and length are to be worked on")
    add("--recipe", default="demo", metavar="NAME", help="published method to use (%(default)s)")
    add(
        "--size",
        type=option_values.size,
        metavar="WxH",
        help="working size in pixels (the clip's or the recipe's)",
    )
    add(
        "--frames",
        type=option_values.whole,
        metavar="N",
        help="length in frames, 4n + 1, worked on at once (the clip's or the recipe's; of a longer clip a window's)",
    )
    add_fit(add)
    add(
        "--references",
        type=option_values.whole,
        metavar="N",
        help="number of reference images (the fewest that the recipe takes)",
    )
    add(
        "--edits",
        type=option_values.whole,
        default=1,
        metavar="N",
        help="edits of one clip that run at once (%(default)s)",
    )
    add("--steps", type=option_values.steps, metavar="N", help="denoising steps (the recipe's)")
    add(
        "--reasoning-steps",
        type=option_values.steps,
        metavar="N",
        help="of a recipe for pictures: steps before the imagined way is dropped (the recipe's)",
    )
    add_guidance(add)
    add_half_size(add)
    add("--window", type=option_values.window, metavar="A,B", help="part of the run in which the edit acts")


def run(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """The plan as plain data and as text.

    Raises: `BadInput` for options that no edit could have, and for weight files that are not what they should be.
    """
    from reelpatch.headless.hosts.ranks.torchrun import check_shareable
    from reelpatch.headless.models.recipe_files import headers_found
    from reelpatch.plan.job import Job
    from reelpatch.plan.plan import plan_edit
    from reelpatch.plan.report import report

    recipe = _settings(options)
    dtype, offload = _choices(options)
    machines = _machines(options)
    frames, size, windows = _working_size(options, recipe)
    if options.cards > 1:
        check_shareable(recipe)
    references = recipe.least_references if options.references is None else options.references
    job = Job(recipe, frames, size, references=references, contexts=options.edits, cards=options.cards)
    found = headers_found(recipe, options.models)
    plan = plan_edit(job, found, machines, dtype=dtype, vae_dtype=options.vae_dtype, offload=offload)
    plan = replace(plan, windows=windows)
    return plan.as_dict(), report(plan)


def _settings(options: argparse.Namespace) -> Any:
    from reelpatch.recipes import recipe
    from reelpatch.sampling.step_range import StepRange

    settings = recipe(options.recipe).planned_for(options.steps)
    if settings.picture is not None or options.reasoning_steps is not None:
        settings = settings.reasoning_for(options.reasoning_steps)
    window = settings.window if options.window is None else StepRange(*options.window)
    settings = replace(settings, window=window).guided(options.guidance, options.guidance_steps)
    return settings.begun_at_half_size(options.half_size_steps)


def _choices(options: argparse.Namespace) -> tuple[Any, Any]:
    from reelpatch.plan.machine import OFFLOADS
    from reelpatch.plan.models import DTYPES

    if options.dtype not in DTYPES:
        raise BadInput(f"there is no dtype '{options.dtype}': use {', '.join(DTYPES)} (--dtype).")
    if options.offload not in OFFLOADS:
        raise BadInput(
            f"there is no way to offload '{options.offload}': use {', '.join(OFFLOADS)} (--offload)."
        )
    return options.dtype, options.offload


def _machines(options: argparse.Namespace) -> tuple[Any, ...]:
    from reelpatch.headless.models.this_machine import this_machine
    from reelpatch.plan.cards import CARDS, find_card
    from reelpatch.plan.machine import Machine
    from reelpatch.plan.memory import GIB

    for name in ("vram", "ram"):
        value = getattr(options, name)
        if value is not None and not 0 < value < 2**20:
            raise BadInput(f"--{name} is {value:g}: give the memory in GiB, such as 12.")
    card = None if options.card is None else find_card(options.card)
    if options.card is not None and card is None:
        raise BadInput(
            f"no rates are known for a card '{options.card}': use {', '.join(c.name for c in CARDS)} (--card)."
        )
    here = this_machine()
    if options.vram is None and options.ram is None and card is None:
        return (here,)
    vram = options.vram * GIB if options.vram is not None else card.vram if card else here.vram
    named = card.name if card else (here.card if options.vram is None else None)
    ram = options.ram * GIB if options.ram is not None else here.ram
    return (Machine("stated machine", int(ram), None if vram is None else int(vram), named), here)


def _working_size(options: argparse.Namespace, recipe: Any) -> tuple[int, tuple[int, int], int]:
    """Length and size of what is worked on at once, and how many such windows there are."""
    frames, size, windows = recipe.frames, (recipe.height, recipe.width), 1
    if recipe.picture is not None:
        return options.frames or frames, _picture_size(options, size, recipe), 1
    if options.clip is not None:
        from reelpatch.media.clip_size import clip_size

        length, size = clip_size(options.clip)
        if options.frames is not None and not 1 <= options.frames <= length:
            raise BadInput(
                f"{options.frames} frames were asked for, but {options.clip} has {length}: "
                f"use 1 to {length} (--frames)."
            )
        frames, windows = (length, 1) if options.frames is not None else _windows(length, options, recipe)
    frames = frames if options.frames is None else options.frames
    if options.fit is None:
        return frames, options.size or size, windows
    from reelpatch.clips.frames import plan_fit
    from reelpatch.headless.runs.request import size_for

    plan = plan_fit(
        frames,
        *size,
        lattice=recipe.lattice,
        size=size_for(options.size, options.fit, recipe, size),
        method=options.fit,
    )
    return plan.frames, plan.size, windows


def _windows(length: int, options: argparse.Namespace, recipe: Any) -> tuple[int, int]:
    """How long the windows are that `edit` works on a clip in, unless told otherwise, and how many."""
    if length <= recipe.frames:
        return length, 1
    from reelpatch.windows.plan_windows import plan_windows, usual_overlap

    if options.fit is None:
        recipe.lattice.latent_frames(length)  # refuses what is not legal
    overlap = usual_overlap(recipe.frames, recipe.lattice)
    windows = plan_windows(length, recipe.frames, overlap, recipe.lattice).windows
    return windows[0].frames, len(windows)


def _picture_size(options: argparse.Namespace, size: tuple[int, int], recipe: Any) -> tuple[int, int]:
    area = options.size or size
    if options.clip is None:
        return area
    from reelpatch.edits.reasoning.sizing import fit_picture
    from reelpatch.media.stills import open_still

    with open_still(options.clip, "picture") as picture:
        return fit_picture((picture.height, picture.width), recipe.lattice, area).size
