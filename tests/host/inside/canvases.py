"""ReCo's pair canvas by Edit in context: what it hangs on a MODEL, and what Finish clip gives back."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import torch
from bad_input import refused
from tiny import SIGMAS, Vae, backbone, call, clip, difference, module, noise, sample

from reelpatch.edits.vace.context import build_context
from reelpatch.edits.vace.edit import VaceContext, VaceEdit


def pack(name: str) -> ModuleType:
    return next(found for full, found in sys.modules.items() if full.endswith(f".nodes.{name}"))


class PictureVae(Vae):
    """Decodes by repeating each cell, so that places can be told."""

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        cells = latents[:, :3].repeat_interleave(8, -1).repeat_interleave(8, -2)
        frames = torch.cat([cells[:, :, :1], cells[:, :, 1:].repeat_interleave(4, 2)], dim=2)
        return frames.permute(0, 2, 3, 4, 1)


def edit(recipe: str = "reco", **more: Any) -> tuple[Any, ...]:
    options = {
        **{"model": backbone(torch.float32), "vae": Vae(), "clip": clip(), "recipe": recipe},
        **{"instruction": "make it red", "start": 0.0, "end": 1.0, "edit_module": module(torch.float32)},
    }
    return call("ReelpatchEditInContext", **options | more)


def check_reco_is_vace_on_a_pair_canvas():
    base, patch, worked = backbone(torch.float32), module(torch.float32), clip()
    still = torch.rand(20, 30, 3)
    edited, latent, prompt = edit("reco-ref", model=base, edit_module=patch, references=[still])
    assert latent["samples"].shape == (1, 16, 1 + 3, 4, 12)
    assert prompt == "make it red"
    canvas = torch.cat([worked.frames, torch.full_like(worked.frames, 0.5)], dim=2)
    mask = torch.cat([torch.zeros(9, 32, 48), torch.ones(9, 32, 48)], dim=2)
    # The still has the clip's shape, so that there is no white at its borders.
    right = torch.nn.functional.interpolate(
        still.permute(2, 0, 1)[None], size=(32, 48), mode="bilinear", align_corners=False
    )[0].permute(1, 2, 0)
    beside = torch.cat([torch.ones_like(right), right], dim=1)
    encode = pack("host_vae").encoder(Vae())
    context = build_context(canvas, mask, [beside], encode, frames=9, height=32, width=96)
    by_hand = pack("host").attach(base, VaceEdit(patch.model, [VaceContext(context)]), patch)
    start = noise(tuple(latent["samples"].shape))
    one, other = (
        sample(model, latent=latent["samples"], noise=start, sigmas=SIGMAS) for model in (edited, by_hand)
    )
    found = difference(one, other)
    assert found <= 1e-5
    assert difference(one, sample(base, latent=latent["samples"], noise=start, sigmas=SIGMAS)) > 1e-3
    return found


def check_finish_gives_the_right_half_back():
    images = torch.rand(7, 30, 44, 3)
    worked = clip(images)
    samples = torch.zeros(1, 16, 3, worked.plan.size[0] // 8, 2 * worked.plan.size[1] // 8)
    samples[..., samples.shape[-1] // 2 :] = 0.75
    how = {"grow": 0, "feather": 0, "blend": "plain", "match": "none", "match_frames": 1}
    _, frames = call(
        "ReelpatchFinishClip", samples={"samples": samples}, vae=PictureVae(), clip=worked, mask=None, **how
    )
    assert frames.shape == images.shape
    assert difference(frames, torch.full_like(images, 0.75)) < 1e-6


def check_what_does_not_go_together_is_refused():
    still = torch.rand(20, 30, 3)
    return [
        refused(lambda: edit(edit_module=None), "needs the edit module of VACE 1.3B", "none is connected"),
        refused(lambda: edit(mask=torch.ones(1, 32, 48)), "takes no mask into the model", "Finish clip"),
        refused(lambda: edit(references=[still]), "1 references were given", "use reco-ref"),
        refused(lambda: edit("easyv2v"), "needs an edit adapter", "a VaceModule is connected"),
        refused(lambda: edit("videocof"), "has no edit module"),
    ]
