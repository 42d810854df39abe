"""The one way through an edit, in every host: prepare, sample, finish, decode, and give the clip back."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from reelpatch.clips.frames import restore
from reelpatch.edits.half_size import enlarged, half_material
from reelpatch.edits.work import EditSettings, EditWork, Material, Prepared
from reelpatch.progress import OnProgress
from reelpatch.sampling.noise import FrameNoise, draw_noise


@dataclass(frozen=True, eq=False)
class Start:
    """Where sampling begins: at what was `prepared` and `noise` of its shape [C, T, h, w], which was drawn by `seed`.

    Of the run's steps those from `first` on are taken, up to `end`, None for all; what is sampled is clean in any case.
    """

    prepared: Prepared
    noise: Tensor
    seed: int | FrameNoise
    first: int = 0
    end: int | None = None

    def part_of(self, sigmas: Tensor) -> Tensor:
        """Those of a run's sigmas [steps + 1] that are sampled over."""
        if self.end is None:
            return sigmas[self.first :]
        # Down to 0 at the end, so that the last step gives the clean latents that it sees.
        return torch.cat([sigmas[self.first : self.end], sigmas[-1:]])


class RenderHost(Protocol):
    """The models of a host, with the instruction and the settings of a run."""

    @property
    def settings(self) -> EditSettings:
        """How the edit is to be at work."""
        ...

    def encode(self, video: Tensor) -> Tensor:
        """Latents [C, T, h, w], as the transformer reads them, of a video [3, F, H, W] in [-1, 1]."""
        ...

    def sample(self, work: EditWork, start: Start, on_progress: OnProgress) -> Tensor:
        """The sampled latents, of the shape of the noise [C, T, h, w], with the edit of `work` on the transformer."""
        ...

    def decode(self, latents: Tensor, on_progress: OnProgress) -> Tensor:
        """The frames [F, H, W, 3] in [0, 1] of latents that were sampled."""
        ...


def make_latents(
    host: RenderHost, work: EditWork, material: Material, *, seed: int | FrameNoise, on_progress: OnProgress
) -> Tensor:
    """The latents of the edited clip, without those of references."""
    sampled, prepared = _sampled(host, work, material, seed, on_progress)
    return work.finish(sampled, prepared)


def render(
    host: RenderHost,
    work: EditWork,
    material: Material,
    *,
    seed: int | FrameNoise,
    on_progress: OnProgress,
    on_lead: Callable[[Tensor], None] | None = None,
) -> Tensor:
    """The edited clip at the size and length of the material's, [F, H, W, 3], as the model made it.

    `on_lead` is told the frames [f, h, w, 3] of what was made in front of the clip, at the size that was worked on: they are decoded
    apart, as a clip of their own.
    """
    sampled, prepared = _sampled(host, work, material, seed, on_progress)
    if on_lead is not None:
        on_lead(host.decode(sampled[:, : prepared.references], on_progress))
    decoded = host.decode(work.finish(sampled, prepared), on_progress)
    return restore(decoded[:, :, prepared.left_px :], material.plan, material.clip)


def _sampled(
    host: RenderHost, work: EditWork, material: Material, seed: int | FrameNoise, on_progress: OnProgress
) -> tuple[Tensor, Prepared]:
    coarse, steps = None, host.settings.half_size_steps
    if steps:
        half = _start(host, work, half_material(material), seed, on_progress)
        coarse = host.sample(work, replace(half, end=steps), on_progress)
    start = _start(host, work, material, seed, on_progress)
    if coarse is not None:
        prepared = replace(start.prepared, clip_latents=enlarged(coarse, start.prepared.shape))
        start = replace(start, prepared=prepared, first=steps)
    return host.sample(work, start, on_progress), start.prepared


def _start(
    host: RenderHost, work: EditWork, material: Material, seed: int | FrameNoise, on_progress: OnProgress
) -> Start:
    on_progress("encoding the clip", 0, 1)
    prepared = work.prepare(material, host.settings, host.encode)
    on_progress("encoding the clip", 1, 1)
    return Start(prepared, draw_noise(prepared.shape, seed, references=prepared.references), seed)
