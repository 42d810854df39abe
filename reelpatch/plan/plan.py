"""The plan of an edit, before anything is loaded: what is counted, what is estimated, and whether it fits."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from reelpatch.plan.advice import Advice, advise
from reelpatch.plan.cards import CARDS, Card, Duration, Seconds, duration, find_card
from reelpatch.plan.job import Job, Work, count_work
from reelpatch.plan.lighter import LighterRun, lighter_runs
from reelpatch.plan.machine import Machine, Offload, is_fitting, memory_on, missing
from reelpatch.plan.memory import GIB, Memory, plan_memory
from reelpatch.plan.models import Dtype, Models, has_fp8, models_of
from reelpatch.plan.reasoning import ReasoningCost, reasoning_costs
from reelpatch.recipes import Role
from reelpatch.weights.header import KnownFile

COUNTED = "tokens, forwards, FLOPs, parameters, bytes of weights, bytes over PCIe for the placement shown"
ESTIMATED = (
    "VRAM of activations (tensors alive in the headless code, plus 5 % and 0.6 GiB for driver and allocator), RAM, "
    "and all times (rates published by others, not measured here)"
)


@dataclass(frozen=True)
class OnMachine:
    """The edit on one machine. `all_resident` is the VRAM peak with every weight on the card, in bytes."""

    machine: Machine
    memory: Memory
    fits: bool
    missing: str
    all_resident: int | None
    durations: tuple[Duration, ...]
    advice: tuple[Advice, ...]


@dataclass(frozen=True)
class Plan:
    """The plan of one edit, on one machine or more; of a long clip that of one of its `windows`, after each other."""

    job: Job
    models: Models
    work: Work
    machines: tuple[OnMachine, ...]
    reasoning: tuple[ReasoningCost, ...] = ()
    lighter: tuple[LighterRun, ...] = ()
    windows: int = 1

    def as_dict(self) -> dict[str, Any]:
        """In plain types, for `--json`. Units are in the names; GB are 10^9 bytes, GiB are 2^30."""
        job, models, grid = self.job, self.models, self.job.grid
        height, width = job.size
        return {
            "recipe": job.recipe.name,
            "licence": job.recipe.licence,
            "clip": {"frames": job.frames, "width": width, "height": height, "references": job.references},
            "windows": self.windows,
            "edits": job.contexts,
            "cards": {
                "number": job.cards,
                "tokens_each": job.tokens_here,
                "sent_gb": job.sent_bytes(models) / 1e9,
            },
            "tokens": job.tokens,
            "grid": asdict(grid),
            "steps": job.recipe.num_run_steps,
            "forwards": len(list(job.passes())),
            "tflop": _tflop(self.work),
            "parameters": {
                "backbone": models.backbone.parameters.total,
                "module": models.module_parameters,
                "vae": models.vae.parameters,
                "text_encoder": models.text.parameters,
            },
            "weights_gb": {
                "transformer_and_module": models.transformer_bytes / 1e9,
                "experts": models.num_experts,
                "vae": models.vae_bytes / 1e9,
                "text_encoder": models.text_encoder_bytes / 1e9,
            },
            "sizes_from_files": list(models.from_headers),
            "reasoning": [
                {"steps": one.steps, "tflop": one.denoise / 1e12, "times_plain": one.times_plain}
                for one in self.reasoning
            ],
            "lighter": [
                {
                    "guidance_steps": one.guidance_steps,
                    "half_size_steps": one.half_size_steps,
                    "forwards": one.forwards,
                    "tflop": one.denoise / 1e12,
                    "times": one.times,
                }
                for one in self.lighter
            ],
            "machines": [_machine_dict(one) for one in self.machines],
            "counted": COUNTED,
            "estimated": ESTIMATED,
        }


def plan_edit(
    job: Job,
    found: Mapping[Role, KnownFile],
    machines: Sequence[Machine],
    *,
    dtype: Dtype = "auto",
    vae_dtype: str = "fp32",
    offload: Offload = "auto",
) -> Plan:
    """The plan of a job with the models of its recipe, some of which are files that were found.

    Raises: `BadInput` as `models_of`.
    """
    recipe = job.recipe
    models = models_of(recipe, found, dtype=dtype, vae_dtype=vae_dtype)
    can_shrink = any(has_fp8(recipe, role) for role in ("backbone", "module", "text_encoder"))
    in_fp8 = models_of(recipe, found, dtype="fp8", vae_dtype=vae_dtype) if can_shrink else models
    is_smaller = in_fp8.stored_bytes < models.stored_bytes
    return make_plan(job, models, machines, offload=offload, models_in_fp8=in_fp8 if is_smaller else None)


def make_plan(
    job: Job,
    models: Models,
    machines: Sequence[Machine],
    *,
    offload: Offload = "auto",
    models_in_fp8: Models | None = None,
) -> Plan:
    """The plan of a job on these machines; `models_in_fp8` are what it could run with instead, if it can."""
    work = count_work(job, models)

    def on(machine: Machine) -> OnMachine:
        memory = memory_on(machine, job, models, offload=offload)
        fits = is_fitting(machine, memory)
        durations = (_duration(card, machine, job, models, work, offload) for card in _cards(machine) if fits)
        resident = None
        if machine.vram is not None:
            resident = plan_memory(job, models, placement="resident", vram=machine.vram).peak.total
        return OnMachine(
            machine=machine,
            memory=memory,
            fits=fits,
            missing=missing(machine, memory),
            all_resident=resident,
            durations=tuple(durations),
            advice=() if fits else advise(machine, job, models, offload=offload, models_in_fp8=models_in_fp8),
        )

    on_machines = tuple(on(machine) for machine in machines)
    return Plan(job, models, work, on_machines, reasoning_costs(job, models), lighter_runs(job, models))


def _cards(machine: Machine) -> tuple[Card, ...]:
    if machine.vram is None:
        return ()
    if machine.card is None:
        return CARDS
    card = find_card(machine.card)
    return (card,) if card else ()


def _duration(
    card: Card, machine: Machine, job: Job, models: Models, work: Work, offload: Offload
) -> Duration:
    """With the VRAM of the machine planned for, which may be less than the card's."""
    memory = memory_on(machine, job, models, offload=offload)
    return duration(
        card,
        work,
        memory,
        hidden_numbers=job.tokens_here * models.backbone.dim,
        stored_bytes=models.stored_bytes,
        ram=machine.ram,
        cards=job.cards,
    )


def _tflop(work: Work) -> dict[str, Any]:
    def parts(name: str) -> dict[str, float]:
        flops = work.forward if name == "forward" else work.denoise
        return {
            "linear": flops.linear / 1e12,
            "self_attention": flops.self_attention / 1e12,
            "cross_attention": flops.cross_attention / 1e12,
            "total": flops.total / 1e12,
        }

    return {
        "text": work.text / 1e12,
        "encode": work.encode / 1e12,
        "forward": parts("forward"),
        "denoise": parts("denoise"),
        "decode": work.decode / 1e12,
        "total": work.total / 1e12,
    }


def _machine_dict(one: OnMachine) -> dict[str, Any]:
    machine, memory = one.machine, one.memory
    stages = [
        {
            "stage": stage.stage,
            "weights_gib": stage.weights / GIB,
            "activations_gib": stage.activations / GIB,
            "total_gib": stage.total / GIB,
        }
        for stage in memory.stages
    ]
    return {
        "machine": machine.name,
        "card": machine.card,
        "vram_gib": None if machine.vram is None else machine.vram / GIB,
        "ram_gib": machine.ram / GIB,
        "fits": one.fits,
        "missing": one.missing or None,
        "stages": stages,
        "peak_gib": memory.peak.total / GIB,
        "peak_stage": memory.peak.stage,
        "peak_all_weights_on_card_gib": None if one.all_resident is None else one.all_resident / GIB,
        "offloaded": {
            "blocks": memory.streamed_blocks,
            "of_blocks": memory.num_blocks,
            "text_encoder": memory.is_text_streamed,
            "vae_tiled": memory.is_vae_tiled,
            "piece_tokens": memory.piece,
            "gb": memory.ram_files / 1e9,
        },
        "bus_gb": {
            "load": memory.load_bytes / 1e9,
            "stream": memory.stream_bytes / 1e9,
            "clip": memory.clip_bytes / 1e9,
            "total": memory.bus_bytes / 1e9,
        },
        "ram_needed_gib": memory.ram / GIB,
        "seconds": {timed.card: _seconds_dict(timed) for timed in one.durations},
        "advice": [asdict(advice) for advice in one.advice],
    }


def _seconds_dict(timed: Duration) -> dict[str, list[float]]:
    ranges: dict[str, Seconds] = {
        name: getattr(timed, name)
        for name in ("load", "text", "encode", "denoise", "decode", "total", "first_load")
    }
    return {name: [span.low, span.high] for name, span in ranges.items()}
