"""A plan as text that a person can read at a glance, on a terminal or on a node."""

from collections.abc import Iterator
from typing import NamedTuple

from reelpatch.plan.cards import Seconds
from reelpatch.plan.job import Pass
from reelpatch.plan.memory import GIB
from reelpatch.plan.plan import COUNTED, ESTIMATED, OnMachine, Plan

_STAGES = {"text": "text", "encode": "encode clip", "step": "denoise, each step", "decode": "decode"}
_LABEL = 24
_MINUTES_FROM_S = 100


class _Row(NamedTuple):
    label: str  # empty where the text goes on from the row above
    text: str


_Line = _Row | str


def report(plan: Plan) -> str:
    """The whole plan in columns, for a terminal; lines end in newlines."""
    lines = (f"  {one.label:{_LABEL}} {one.text}" if isinstance(one, _Row) else one for one in _lines(plan))
    return "".join(f"{line}\n" for line in lines)


def report_for_node(plan: Plan) -> str:
    """The same without columns, which a node does not keep; options stand under the names of its widgets."""
    lines: list[str] = []
    for one in _lines(plan):
        if isinstance(one, str):
            lines.append(one.strip().replace("--", ""))
        elif one.label:
            lines.append(f"{one.label}: {one.text}")
        else:
            lines[-1] += f" {one.text}"
    return "\n".join(lines)


def verdict(one: OnMachine, windows: int = 1) -> str:
    """Whether it fits, and by how much, in a few words: "fits: 8.1 of 12 GiB, 12 of 40 blocks streamed"; the time is that of one of so many windows."""
    memory = one.memory
    if not one.fits:
        return f"DOES NOT FIT: needs {one.missing}"
    has_card = one.machine.vram is not None
    used = memory.peak.total if has_card else memory.ram
    held = one.machine.vram if one.machine.vram is not None else one.machine.ram
    parts = [f"fits: {used / GIB:.1f} of {held / GIB:.3g} GiB of {'VRAM' if has_card else 'RAM'}"]
    if memory.streamed_blocks:
        parts.append(f"{memory.streamed_blocks} of {memory.num_blocks} blocks streamed")
    if memory.is_text_streamed:
        parts.append("the text encoder streamed")
    if memory.is_vae_tiled:
        parts.append("VAE in tiles")
    if len(one.durations) == 1:
        times = f"{windows} times " if windows > 1 else ""
        parts.append(f"{times}~{_span(one.durations[0].total)}")
    return ", ".join(parts)


def _lines(plan: Plan) -> Iterator[_Line]:
    yield from (
        f"{verdict(one, plan.windows)} ({one.machine.card or one.machine.name})" for one in plan.machines
    )
    yield ""
    yield from _work(plan)
    for one in plan.machines:
        yield ""
        yield from _machine(plan, one)
    yield from ("", f"Counted: {COUNTED}.", f"Estimated: {ESTIMATED}.")


def _work(plan: Plan) -> Iterator[_Line]:
    job, models, work = plan.job, plan.models, plan.work
    height, width = job.size
    references = f", {job.references} reference{'s' * (job.references > 1)}" if job.references else ""
    edits = f", {job.contexts} edits at once" if job.contexts > 1 else ""
    yield f"Recipe {job.recipe.name} on {width}x{height}, {job.frames} frames{references}{edits}"
    if plan.windows > 1:
        yield _Row("windows", f"{plan.windows} of so many frames; all that follows is of one of them")
    grid, forwards = job.grid, len(list(job.passes()))
    own = f"{grid.tokens:,} = {grid.frames} x {grid.rows} x {grid.columns}"
    own += ", of each of two clips" if job.rows > 1 else ""
    beside = "" if job.tokens == grid.tokens else f"; {job.tokens:,} with those of segments beside them"
    yield _Row("tokens", own + beside)
    if job.cards > 1:
        yield _Row(
            "cards",
            f"{job.cards}, each with all weights and {job.tokens_here:,} tokens; by Ulysses each sends "
            f"{_size(job.sent_bytes(models))} to the others in a forward, whose time is not counted",
        )
    yield from _after_the_drop(plan)
    is_alike = job.rows == 1 and len({(one.sees, one.is_half) for one in job.passes()}) == 1
    each = "each" if is_alike else "at most"
    yield _Row(
        "forwards", f"{forwards} in {job.recipe.num_run_steps} steps, {_flop(work.forward.total)} {each}"
    )
    yield from (
        _Row(
            "" if number else "reasoning steps",
            f"{one.steps}: {_flop(one.denoise)}, {one.times_plain:.2f} x none",
        )
        for number, one in enumerate(plan.reasoning)
    )
    yield from (
        _Row(
            "" if number else "computing less",
            f"{one.describe()}: {one.forwards} forwards, {_flop(one.denoise)}, {one.times:.2f} x, another result",
        )
        for number, one in enumerate(plan.lighter)
    )
    share = work.denoise.self_attention / work.denoise.total
    denoise = f"denoise {_flop(work.denoise.total)} ({share:.0%} self-attention)"
    others = f"text {_flop(work.text)}, encode {_flop(work.encode)}, decode {_flop(work.decode)}"
    yield _Row("arithmetic", f"{_flop(work.total)}: {denoise}, {others}")
    picture = f", {_size(models.picture_encoder_bytes)} picture encoder" if models.picture.parameters else ""
    experts = f"{models.num_experts} times, one after the other, " if models.num_experts > 1 else ""
    yield _Row(
        "weights",
        f"{experts}{_size(models.transformer_bytes)} backbone, edit module and LoRAs "
        f"({models.num_parameters:,} parameters), {_size(models.text_encoder_bytes)} text encoder, "
        f"{_size(models.vae_bytes)} VAE{picture}",
    )
    source = ", ".join(models.from_headers)
    yield _Row(
        "sizes from", f"the headers of {source}" if source else "what the published files hold (none is here)"
    )


def _after_the_drop(plan: Plan) -> Iterator[_Line]:
    """Where the frames between a picture and its edit are dropped, and what a forward takes from there on."""
    job, picture = plan.job, plan.job.recipe.picture
    if picture is None or not 0 < picture.reasoning_steps < job.recipe.steps:
        return
    pair = job.pass_flops(plan.models, Pass(0, 0, is_pair=True)).total
    yield _Row(
        "", f"from step {picture.reasoning_steps} on {job.pair_grid.tokens:,}, {_flop(pair)} each forward"
    )


def _machine(plan: Plan, one: OnMachine) -> Iterator[_Line]:
    machine, memory = one.machine, one.memory
    vram = "no card" if machine.vram is None else f"{machine.vram / GIB:.3g} GiB VRAM"
    card = f" ({machine.card})" if machine.card else ""
    yield f"{machine.name}{card}, {vram}, {machine.ram / GIB:.3g} GiB RAM:"
    place = "RAM" if machine.vram is None else "VRAM"
    for stage in memory.stages:
        parts = f"weights {stage.weights / GIB:.2f}, activations {stage.activations / GIB:.2f}"
        yield _Row(f"{place}, {_STAGES[stage.stage]}", f"~{stage.total / GIB:.1f} GiB ({parts})")
    yield _Row("RAM in all" if machine.vram is None else "RAM beside files", f"~{memory.ram / GIB:.1f} GiB")
    if machine.vram is not None:
        yield from _placement(plan, one)
    for timed in one.durations:
        total, denoise = _span(timed.total), _span(timed.denoise)
        yield _Row(
            f"time on {timed.card}", f"~{total} (denoise {denoise}), first load +{_span(timed.first_load)}"
        )
    if one.fits and not one.durations:
        yield _Row("time", "no rates are known for this machine")
    if one.fits:
        return
    yield "  To make it fit, one of:" if one.advice else "  " + _hopeless(plan, one)
    for advice in one.advice:
        yield f"    {advice.text}"


def _placement(plan: Plan, one: OnMachine) -> Iterator[_Line]:
    memory = one.memory
    streamed = [f"{memory.streamed_blocks} of {memory.num_blocks} blocks"] if memory.streamed_blocks else []
    streamed += ["the text encoder"] if memory.is_text_streamed else []
    if streamed:
        yield _Row(
            "offloaded", f"{' and '.join(streamed)}, sent to the card as they run (by `reelpatch edit`;"
        )
        yield _Row(
            "", f"ComfyUI decides by itself); with all on the card ~{(one.all_resident or 0) / GIB:.1f} GiB"
        )
        if memory.ram + memory.ram_files > one.machine.ram:
            yield _Row("", "RAM has no room for all of it: the rest is read from disk again for each forward")
    else:
        yield _Row("offloaded", "nothing")
    if memory.piece and memory.piece < plan.job.tokens:
        yield _Row(
            "blocks", f"over pieces of at most {memory.piece:,} tokens, which changes nothing in the result"
        )
    if memory.is_vae_tiled:
        yield _Row(
            "VAE", f"in tiles, blended where they overlap ({memory.vae_work:.2f} times the arithmetic)"
        )
    bus = f"load {memory.load_bytes / 1e9:.1f} + stream {memory.stream_bytes / 1e9:.1f}"
    yield _Row("over PCIe", f"{memory.bus_bytes / 1e9:.1f} GB ({bus} + clip {memory.clip_bytes / 1e9:.1f})")


def _hopeless(plan: Plan, one: OnMachine) -> str:
    kind = "RAM" if one.machine.vram is None or one.memory.peak.total <= one.machine.vram else "VRAM"
    return f"No setting makes '{plan.job.recipe.name}' fit this machine: it takes more {kind}, or a smaller recipe."


def _flop(flops: int) -> str:
    if flops >= 1e16:
        return f"{flops / 1e15:,.2f} PFLOP"
    return f"{flops / 1e12:,.1f} TFLOP" if flops >= 1e11 else f"{flops / 1e9:.2f} GFLOP"


def _size(num_bytes: int) -> str:
    return f"{num_bytes / 1e9:.1f} GB" if num_bytes >= 1e8 else f"{num_bytes / 1e6:.1f} MB"


def _span(seconds: Seconds) -> str:
    low, high = seconds.low, seconds.high
    if high < 1:
        return "under 1 s"
    if high < _MINUTES_FROM_S:
        return f"{low:.0f}-{high:.0f} s"
    return f"{low / 60:.1f}-{high / 60:.1f} min"
