"""Which setting, changed by itself, makes an edit fit a machine that it does not fit as it is."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from reelpatch.plan.job import Job
from reelpatch.plan.machine import Machine, Offload, is_fitting, memory_on
from reelpatch.plan.memory import GIB
from reelpatch.plan.models import Models

_SMALLEST_SIDE_PX = 256  # of a picture that is still worth editing


@dataclass(frozen=True)
class Advice:
    """One way to make it fit: the option, the value to give it, and a sentence for people."""

    option: str
    value: str
    text: str


def advise(
    machine: Machine, job: Job, models: Models, *, offload: Offload, models_in_fp8: Models | None
) -> tuple[Advice, ...]:
    """All single changes that suffice; where none does, the largest clip that fits with all of them, or nothing.

    `models_in_fp8` are the same models from files in fp8, None where they are held in it already.
    """

    def fits(a_job: Job, some: Models, way: Offload) -> bool:
        return is_fitting(machine, memory_on(machine, a_job, some, offload=way))

    found = list(_unchanged_clip(fits, job, models, offload, models_in_fp8))
    found += _smaller_clip(lambda smaller: fits(smaller, models, offload), job)
    if found:
        return tuple(found)
    least = models_in_fp8 or models
    way: Offload = "stream" if offload == "none" and machine.vram is not None else offload
    options = "".join(
        (" --dtype fp8" if models_in_fp8 else "", " --offload stream" if way != offload else "")
    )
    together = _smaller_clip(lambda smaller: fits(smaller, least, way), job)
    return tuple(replace(one, text=f"{one.text}, together with{options}") for one in together if options)


def _unchanged_clip(
    fits: Callable[[Job, Models, Offload], bool],
    job: Job,
    models: Models,
    offload: Offload,
    in_fp8: Models | None,
) -> Iterator[Advice]:
    if offload == "none" and fits(job, models, "stream"):
        yield Advice(
            "--offload", "stream", "--offload stream: blocks wait in RAM and are sent as they are needed"
        )
    if in_fp8 is None:
        return
    if fits(job, in_fp8, offload):
        yield Advice("--dtype", "fp8", f"--dtype fp8: files in fp8 ({_saved(models, in_fp8)} less)")
    elif offload == "none" and fits(job, in_fp8, "stream"):
        yield Advice("--dtype", "fp8", "--dtype fp8 --offload stream: files in fp8, and blocks streamed")


def _smaller_clip(fits: Callable[[Job], bool], job: Job) -> list[Advice]:
    return [advice for advice in (_fewer_frames(fits, job), _smaller_size(fits, job)) if advice]


def _fewer_frames(fits: Callable[[Job], bool], job: Job) -> Advice | None:
    if job.recipe.picture is not None:
        return None
    step = job.recipe.lattice.frames_per_latent
    for frames in range(job.frames - step, 0, -step):
        if fits(replace(job, frames=frames)):
            return Advice(
                "--frames", str(frames), f"--frames {frames}: the longest clip of this size that fits"
            )
    return None


def _smaller_size(fits: Callable[[Job], bool], job: Job) -> Advice | None:
    height, width = job.size
    lattice = job.recipe.lattice
    step = lattice.size_multiple
    for side in range(min(job.size) - step, _SMALLEST_SIDE_PX - 1, -step):
        factor = side / min(job.size)
        size = lattice.nearest_size(round(height * factor), round(width * factor))
        if fits(replace(job, size=size)):
            value = f"{size[1]}x{size[0]}"
            return Advice("--size", value, f"--size {value}: the largest size of this shape that fits")
    return None


def _saved(models: Models, smaller: Models) -> str:
    return f"{(models.stored_bytes - smaller.stored_bytes) / GIB:.1f} GiB"
