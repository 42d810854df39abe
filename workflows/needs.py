"""What a recipe needs, from the plan: gigabytes to download, memory on cards of 8, 12 and 24 GB, minutes, licence.

The VAE is planned in half precision, as ComfyUI runs it on cards that have it; where that is too much at once, ComfyUI goes over to tiles.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, partial

from reelpatch.plan.cards import Seconds
from reelpatch.plan.job import Job
from reelpatch.plan.machine import Machine
from reelpatch.plan.memory import GIB
from reelpatch.plan.plan import OnMachine, plan_edit
from reelpatch.recipes import Recipe
from reelpatch.recipes.comfy_files import comfy_files

CARDS_GB = (8, 12, 24)
TIMED_ON = "RTX 3090"
_ENOUGH_RAM = 256 * GIB
_MINUTE_FROM_S = 90


def needs(recipe: Recipe, what: str) -> list[str]:
    """Lines for a note; times are for one `what` ("window of 73 frames"), as the plan models them."""
    if not any(file.url for file in recipe.files):
        return [
            "- Download: **nothing**, the weights come with Reelpatch.",
            f"- Any machine: a CPU and 2 GB of RAM, seconds for a {what}.",
        ]
    return [
        f"- Download: **{_download(recipe)}**.",
        f"- Card, RAM, and time for a {what} at an {TIMED_ON}'s speed, modelled:",
        *_cards(recipe),
    ]


def needs_in_short(recipe: Recipe) -> str:
    """The same in one line for an app: gigabytes, the smallest card, minutes on it."""
    if not any(file.url for file in recipe.files):
        return "nothing to download; any CPU"
    first = next(one for one in map(partial(_on_card, recipe), CARDS_GB) if one.fits)
    (timed,) = first.durations
    card = round((first.machine.vram or 0) / GIB)
    return f"{download_gb(recipe):.1f} GB; {card} GB card: {_span(timed.total)}"


def download_gb(recipe: Recipe) -> float:
    """10^9 bytes of the files that ComfyUI loads; of a pickle those that are made of it."""
    return sum(file.size_gb or 0 for file in comfy_files(recipe))


def _download(recipe: Recipe) -> str:
    files = comfy_files(recipe)
    published = [file for file in files if not file.unpublished]
    unknown = sum(file.size_gb is None for file in published)
    more = f" and {unknown} of unknown size" if unknown else ""
    own = " and a file of your own" if len(published) < len(files) else ""
    return f"{download_gb(recipe):.1f} GB in {len(published)} files{more}{own}"


def _cards(recipe: Recipe) -> Iterator[str]:
    for gigabytes in CARDS_GB:
        yield f"  - {gigabytes} GB: {_verdict(_on_card(recipe, gigabytes))}"


@cache
def _on_card(recipe: Recipe, gigabytes: int) -> OnMachine:
    machine = Machine("", _ENOUGH_RAM, gigabytes * GIB, TIMED_ON)
    job = Job(recipe, recipe.frames, (recipe.height, recipe.width), recipe.least_references, 1)
    (one,) = plan_edit(job, {}, [machine], vae_dtype="bf16").machines
    return one


def _verdict(one: OnMachine) -> str:
    memory = one.memory
    ram = (memory.ram + memory.ram_files) / GIB
    blocks = f"{memory.streamed_blocks} of {memory.num_blocks} blocks streamed; "
    streamed = blocks if memory.streamed_blocks else ""
    if not one.fits:
        too_large = _too_large(one)
        if too_large - {"encode", "decode"}:
            return f"**does not fit** ({one.missing})"
        return (
            f"fits where ComfyUI takes the VAE in smaller tiles, as it does when memory ends ({one.missing}); "
            f"{streamed}{ram:.0f} GB of RAM; time not modelled"
        )
    (timed,) = one.durations
    return f"fits; {streamed}{ram:.0f} GB of RAM; {_span(timed.total)}"


def _too_large(one: OnMachine) -> set[str]:
    """The stages that do not fit the card; all of them where something else is missing."""
    memory, vram = one.memory, one.machine.vram or 0
    found = {stage.stage for stage in memory.stages if stage.total > vram}
    return found or {stage.stage for stage in memory.stages}


def _span(time: Seconds) -> str:
    if time.high < _MINUTE_FROM_S:
        return f"{time.low:.0f}-{time.high:.0f} s"
    return f"{time.low / 60:.0f}-{time.high / 60:.0f} min"
