"""HunyuanVideo-1.5 edited by channels: the node over core's own classes against the headless host, and what is refused."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import comfy.clip_vision
import comfy.model_base
import comfy.sd
import folder_paths
import torch
from bad_input import refused
from comfy.ldm.hunyuan_video.vae_refiner import Decoder, Encoder
from safetensors.torch import load_file
from tiny import Vae, call, difference, sample

FOLDER = Path(folder_paths.base_path) / "hunyuan_reference"
CASES = {"plain": (9, 1.0), "guided": (9, 4.0), "a picture": (1, 1.0)}
POOLED = {"pooled_output": torch.zeros(1, 4)}  # which core asks for, and this model does not read
VAE_SIZES = {
    **{"block_out_channels": [32, 32, 64, 64, 64], "in_channels": 3, "out_channels": 3, "num_res_blocks": 2},
    **{"ffactor_spatial": 16, "ffactor_temporal": 4, "z_channels": 32},
}


class StandInVae:
    """Stands for no model: encodes by averaging, as the reference does."""

    latent_channels, latent_dim = 32, 3
    first_stage_model = None

    def encode(self, frames: torch.Tensor) -> torch.Tensor:
        video = frames.permute(3, 0, 1, 2) * 2 - 1
        small = torch.nn.functional.avg_pool3d(video[:, ::4], (1, 16, 16))
        return torch.cat([small * (1 + 0.1 * number) for number in range(11)])[None, :32]


class StandInVision:
    """Stands for SigLIP, as the reference does; `width` is that of its rows."""

    def __init__(self, width: int = 1152) -> None:
        self.width = width

    def encode_image(self, pictures: torch.Tensor, crop: bool = True) -> Any:
        assert not crop
        small = (
            torch.nn.functional.adaptive_avg_pool2d(pictures.movedim(-1, 1), (2, 2))
            .flatten(2)
            .transpose(1, 2)
        )
        output = comfy.clip_vision.Output()
        output["last_hidden_state"] = small.repeat(1, 1, self.width // 3)
        return output


class Mean(torch.nn.Module):
    """The mean of a distribution, where core draws from it unless it is told not to."""

    def forward(self, moments: torch.Tensor) -> tuple[torch.Tensor, dict[str, Any]]:
        return moments.chunk(2, dim=1)[0], {}


@cache
def given() -> dict[str, torch.Tensor]:
    return load_file(FOLDER / "given.safetensors")


@cache
def model() -> Any:
    return comfy.sd.load_diffusion_model(
        str(FOLDER / "hunyuan_backbone.safetensors"), {"dtype": torch.float32}
    )


def clip(frames: int) -> Any:
    options = {"fit": "pad", "width": 0, "height": 0, "first_frame": 0, "frames": 0, "fps": 24.0}
    return call("ReelpatchClip", images=given()["clip"][:frames], vae=StandInVae(), **options)[0]


def edit(frames: int = 9, **more: Any) -> tuple[Any, ...]:
    texts = {
        "positive": [[given()["positive"], {**POOLED, "conditioning_byt5small": given()["glyphs"]}]],
        "negative": [[given()["negative"], POOLED]],
    }
    options = {
        "vae": StandInVae(),
        "clip": clip(frames),
        "recipe": "capybara",
        "clip_vision": StandInVision(),
    }
    return call("ReelpatchEditByChannels", **texts | options | more)


def made(name: str, cond: tuple[Any, ...] | None = None) -> torch.Tensor:
    frames, guidance = CASES[name]
    positive, negative, latent = cond or edit(frames)
    options = {"positive": positive, "negative": negative, "noise": given()[f"noise {frames}"]}
    return sample(model(), cfg=guidance, latent=latent["samples"], **options)


def check_it_is_cores_own_model_of_hunyuan_video_15():
    assert type(model().model) is comfy.model_base.HunyuanVideo15


def check_it_equals_the_headless_host():
    found = {name: difference(made(name), given()[name]) for name in CASES}
    assert min(float(given()[name].abs().mean()) for name in CASES) > 0.1
    assert max(found.values()) <= 1e-3, found
    return found


def check_the_source_is_seen_and_nothing_stays_on_the_model():
    texts = [[given()["positive"], {**POOLED, "conditioning_byt5small": given()["glyphs"]}]]
    unseen = texts, [[given()["negative"], POOLED]], {"samples": torch.zeros_like(given()["noise 9"])}
    before = made("plain", unseen)
    assert difference(made("plain"), before) > 1e-2
    assert difference(made("plain", unseen), before) == 0


def check_cores_own_node_shows_the_same_clip():
    """But for what SigLIP sees, of which it takes one picture."""
    texts = [[given()["positive"], {}]]
    ours = edit(clip_vision=StandInVision())[0][0][1]
    frames = given()["clip"]
    cores = call(
        "HunyuanVideo15ImageToVideo", positive=texts, negative=texts, vae=StandInVae(), width=96, height=64, length=9, batch_size=1,
        start_image=frames,
    )[0][0][1]  # fmt: skip
    assert difference(ours["concat_latent_image"], cores["concat_latent_image"]) <= 1e-6
    assert difference(ours["concat_mask"].expand_as(cores["concat_mask"]), cores["concat_mask"]) == 0
    assert ours["clip_vision_output"].last_hidden_state.shape == (1, 3 * 4, 1152)
    assert edit(1)[0][0][1]["clip_vision_output"].last_hidden_state.shape == (1, 4, 1152)


def check_cores_vae_equals_the_headless_one():
    """On a picture: with more frames core lets each see those that follow, where its authors and diffusers do not."""
    state = load_file(FOLDER / "hunyuan_vae.safetensors")
    halves = Encoder(**VAE_SIZES), Decoder(**VAE_SIZES)
    for name, half in zip(("encoder", "decoder"), halves, strict=True):
        own = {key.removeprefix(f"{name}."): value for key, value in state.items() if key.startswith(name)}
        missing, unknown = half.load_state_dict(own, strict=False)
        # Layers for a time that core's class makes and does not use.
        assert not unknown
        assert all("temb_proj" in key for key in missing), missing
    encoder, decoder = (half.eval().requires_grad_(False) for half in halves)
    encoder.regul = Mean()
    picture = given()["clip"][0].movedim(-1, 0)[None, :, None] * 2 - 1
    latents = given()["picture's latents"]
    found = {
        "encoded": difference(encoder(picture)[0] * 1.03682, latents),
        "decoded": difference(decoder(latents[None] / 1.03682)[0].clamp(-1, 1), given()["picture again"]),
    }
    assert max(found.values()) <= 1e-3, found
    return found


def check_finish_gives_the_clip_back():
    """At its own size, with the source's pixels outside the mask."""
    odd, where = torch.rand(7, 50, 70, 3), torch.zeros(1, 50, 70)
    where[:, :, 35:] = 1
    options = {"fit": "pad", "width": 0, "height": 0, "first_frame": 0, "frames": 0, "fps": 24.0}
    worked = call("ReelpatchClip", images=odd, vae=StandInVae(), **options)[0]
    latents = ((worked.plan.frames - 1) // 4 + 1, worked.plan.size[0] // 16, worked.plan.size[1] // 16)
    assert worked.plan.frames >= 7
    assert edit(clip=worked)[2]["samples"].shape == (1, 32, *latents)
    decoded = torch.full((worked.plan.frames, *worked.plan.size, 3), 0.25)
    back = worked.finished(decoded, where)
    assert torch.equal(back[:, :, :35], odd[:, :, :35])


def check_bad_input_gets_a_sentence():
    return [
        refused(lambda: edit(clip_vision=None), "no picture encoder is connected", "sigclip_vision_patch14_384"),
        refused(lambda: edit(clip_vision=StandInVision(1280 // 4 * 3)), "960 wide", "SigLIP's 1152"),
        refused(lambda: edit(vae=Vae()), "a VAE of 16 channels", "hunyuanvideo15_vae_fp16.safetensors"),
        refused(
            lambda: call(
                "ReelpatchEditInContext", model=model(), vae=StandInVae(), clip=clip(9), recipe="videocof", instruction="make it red", start=0.0, end=1.0
            ),
            "this MODEL is a HunyuanVideo15", "edits need a Wan text-to-video backbone",
        ),
    ]  # fmt: skip
