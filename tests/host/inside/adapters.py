"""Wan2.2 TI2V-5B with an edit adapter of EasyV2V's layout: the nodes against the headless host, and what they refuse."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import folder_paths
import torch
from bad_input import refused
from safetensors.torch import load_file
from tiny import SIGMAS, Vae, backbone, call, difference, sample
from tiny import clip as narrow_clip

FOLDER = Path(folder_paths.base_path) / "adapter_reference"
GUIDANCE = 5.0
SEEN = {"plain": (), "masked": ("mask",), "referred": ("mask", "still")}


class WideVae:
    """Stands for no model: encodes by averaging, as the reference does."""

    latent_channels, latent_dim = 48, 3
    first_stage_model = None

    def encode(self, frames: torch.Tensor) -> torch.Tensor:
        video = frames.permute(3, 0, 1, 2) * 2 - 1
        small = torch.nn.functional.avg_pool3d(video[:, ::4], (1, 16, 16))
        return torch.cat([small * (1 + 0.1 * number) for number in range(16)])[None]


@cache
def given() -> dict[str, torch.Tensor]:
    return load_file(FOLDER / "given.safetensors")


@cache
def wide() -> Any:
    folder_paths.add_model_folder_path("diffusion_models", str(FOLDER))
    folder_paths.filename_list_cache.clear()
    return call(
        "ReelpatchLoadBackbone", file="wide_backbone.safetensors", storage="from file", compute="fp32"
    )[0]


def adapter(name: str) -> Any:
    wide()  # which makes the folder known
    return call("ReelpatchLoadEditModule", file=f"adapter_{name}.safetensors")[0]


def clip(images: torch.Tensor | None = None, vae: Any = None, **more: Any) -> Any:
    options = {"fit": "pad", "width": 0, "height": 0, "first_frame": 0, "frames": 0, "fps": 24.0}
    images = given()["clip"] if images is None else images
    return call("ReelpatchClip", images=images, vae=vae or WideVae(), **options | more)[0]


def edit(model: Any, module: Any, shown: tuple[str, ...] = (), **more: Any) -> tuple[Any, ...]:
    options = {
        **{
            "model": model,
            "vae": WideVae(),
            "clip": clip(),
            "recipe": "easyv2v",
            "instruction": "make it red",
        },
        **{"start": 0.0, "end": 1.0, "edit_module": module},
        "mask": given()["mask"] if "mask" in shown else None,
        "references": [given()["still"]] if "still" in shown else None,
    }
    return call("ReelpatchEditInContext", **options | more)


def made(edited: Any, latent: Any) -> torch.Tensor:
    texts = {name: [[given()[name], {}]] for name in ("positive", "negative")}
    return sample(edited, cfg=GUIDANCE, latent=latent["samples"], noise=given()["noise"], **texts)


def _equals_headless(positions: str) -> dict[str, float]:
    found = {}
    for name, shown in SEEN.items():
        edited, latent, prompt = edit(wide(), adapter(positions), shown)
        assert latent["samples"].shape == given()["noise"].shape
        assert prompt == "make it red"
        found[name] = difference(made(edited, latent), given()[f"{positions}, {name}"])
    assert max(found.values()) <= 1e-4, found
    return found


def check_a_sequence_equals_headless():
    return _equals_headless("sequence")


def check_the_pixel_aligned_variant_equals_headless():
    other = given()["aligned, plain"]
    assert difference(other, given()["sequence, plain"]) > 1e-2
    return _equals_headless("aligned")


def check_full_differences_equal_headless():
    """Of weights, biases and modulations, in place of a LoRA."""
    edited, latent, _ = edit(wide(), adapter("differences"))
    found = difference(made(edited, latent), given()["differences, plain"])
    assert found <= 1e-4, found
    assert difference(given()["sequence, plain"], given()["differences, plain"]) > 1e-2
    return {"differences": found}


def check_a_blank_mask_is_no_mask():
    plain, latent, _ = edit(wide(), adapter("sequence"))
    said = made(plain, latent)
    assert difference(said, given()["sequence, masked"]) > 1e-2
    # The nodes refuse a mask without a pixel to edit where it is meant to keep something; here it says nothing.
    blank, latent, _ = edit(wide(), adapter("sequence"), mask=torch.zeros(1, 64, 96))
    assert difference(said, made(blank, latent)) == 0


def check_the_model_is_left_as_it_was():
    plain = torch.zeros_like(given()["noise"])
    before = made(wide(), {"samples": plain})
    edited, latent, _ = edit(wide(), adapter("sequence"))
    assert difference(before, made(edited, latent)) > 1e-2
    assert difference(before, made(wide(), {"samples": plain})) == 0


def check_memory_of_what_rides_along_is_declared():
    asked = []
    edited, _, _ = edit(wide(), adapter("sequence"), ("still",))
    for wrapper in edited.get_wrappers("prepare_sampling", "reelpatch"):
        if type(wrapper).__name__ == "EditMemory":
            shape = given()["noise"].shape
            wrapper(lambda _model, shape, *_args, **_more: asked.append(tuple(shape)), edited, shape)
    assert asked == [(1, 48, 7, 4, 6)]


def check_clips_fit_the_model_by_its_vae():
    odd = torch.rand(5, 48, 80, 3)
    assert clip(odd).plan.size == (64, 96)
    assert clip(odd, Vae()).plan.size == (48, 80)
    assert narrow_clip(odd).plan.size == (48, 80)


def check_finish_gives_the_clip_back():
    """At its own size, with the source's pixels outside the mask."""
    odd, where = torch.rand(7, 50, 70, 3), torch.zeros(1, 50, 70)
    where[:, :, 35:] = 1
    worked = clip(odd)
    edited, latent, _ = edit(wide(), adapter("sequence"), clip=worked, mask=where)
    shape = latent["samples"].shape
    result = sample(edited, cfg=1.0, latent=latent["samples"], noise=torch.ones(shape), sigmas=SIGMAS)
    assert result.shape == shape
    decoded = torch.full((worked.plan.frames, *worked.plan.size, 3), 0.25)
    back = worked.finished(decoded, where)
    assert back.shape == odd.shape
    assert torch.equal(back[:, :, :35], odd[:, :, :35])
    assert difference(back[:, :, 35:], torch.full_like(odd[:, :, 35:], 0.25)) == 0


def check_the_layout_runs_on_a_backbone_of_16_channels():
    base, worked = backbone(torch.float32), narrow_clip()
    given_too = {"vae": Vae(), "clip": worked}
    made_of = {}
    for name, mask in (("plain", None), ("masked", torch.ones(1, 32, 48))):
        edited, latent, _ = edit(base, adapter("16"), mask=mask, **given_too)
        assert latent["samples"].shape == (1, 16, 3, 4, 6)
        made_of[name] = sample(edited, latent=latent["samples"])
    assert difference(made_of["plain"], sample(base)) > 1e-3
    assert difference(made_of["plain"], made_of["masked"]) > 1e-4


def check_pairs_are_made_on_backbones_of_16_channels_alone():
    options = {"change": "local", "onset": 0, "noise": "same", "width": 96, "height": 64, "frames": 5}
    texts = {name: [[given()["positive"], {}]] for name in ("source", "target")}
    return refused(
        lambda: call(
            "ReelpatchPairedGeneration",
            **{
                "model": wide(),
                "recipe": "shared-attention",
                "early": 0.0,
                "middle": 0.0,
                **texts,
                **options,
            },
        ),
        "48-channel VAE",
        "latents of 16 channels",
        "Wan2.1 T2V",
    )


def check_what_does_not_go_together_is_refused():
    base, sequence = wide(), adapter("sequence")
    narrow = {"vae": Vae(), "clip": narrow_clip(torch.rand(9, 64, 96, 3))}
    other = backbone(torch.float32)
    videocof = {"recipe": "videocof", **narrow}
    return [
        refused(lambda: edit(base, None), "needs an edit adapter", "none is connected"),
        refused(lambda: edit(base, adapter("wide")), "256 wide", "128"),
        refused(lambda: edit(base, adapter("16")), "48-channel VAE", "16 channels"),
        refused(lambda: edit(base, sequence, vae=Vae()), "VAE of 16 channels", "wan2.2_vae.safetensors"),
        refused(lambda: edit(other, sequence), "16-channel VAE", "48 channels"),
        refused(lambda: edit(other, None, **{**videocof, "vae": WideVae()}), "48 channels", "wan_2.1_vae"),
        refused(lambda: edit(other, sequence, **videocof), "has no edit module"),
        refused(lambda: edit(other, None, ("mask",), **videocof), "takes no mask", "Finish clip"),
        refused(lambda: edit(base, sequence, references=[given()["still"]] * 2), "2 references", "1 at most"),
        refused(
            lambda: edit(base, sequence, clip=narrow_clip(torch.rand(5, 48, 80, 3))),
            "worked on at 80x48",
            "multiples of 32",
            "96x64",
        ),
    ]
