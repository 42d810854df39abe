"""Nodes that show what an edit did or would take, and those that fit it to the clip around it."""

from __future__ import annotations

import importlib.util
import json
from fractions import Fraction
from pathlib import Path

import folder_paths
import torch
from bad_input import refused
from comfy_api.internal import make_locked_method_func
from comfy_api.latest import InputImpl
from nodes_alone import EchoVae, _fitted, _video
from tiny import apply, backbone, call, clip, difference, files, frames, module, register, sample

import nodes


def told(name: str, **inputs):
    """What a node hands to the page, and its outputs."""
    node = nodes.NODE_CLASS_MAPPINGS[name]
    out = make_locked_method_func(node, "execute", node.PREPARE_CLASS_CLONE(None))(**inputs)
    return (out.ui if isinstance(out.ui, dict) else out.ui.as_dict()), out.result


def _film(name: str) -> InputImpl.VideoFromFile:
    return InputImpl.VideoFromFile(str(Path(folder_paths.get_temp_directory()) / name))


def _brightness(images: torch.Tensor) -> float:
    return float(images.mean())


def check_compare_makes_one_film_of_both():
    images, video = _video(num_frames=7, size=(33, 70))
    darker = images * 0.25
    shown, _ = told("ReelpatchCompare", before=video, after=darker)
    (film,) = shown["reelpatch_compare"]
    assert (film["width"], film["height"], film["frames"], film["fps"]) == (70, 33, 7, 10.0)
    made = _film(film["filename"]).get_components()
    assert made.frame_rate == 10
    assert made.audio is not None  # the sound of before, where after has none
    assert len(made.images) == 7
    left, top = film["after"]
    assert (left, top) == (0, 48)
    before = made.images[:, :33, :70]
    after = made.images[:, top : top + 33, left : left + 70]
    for one, other in ((before, images), (after, darker)):
        assert abs(_brightness(one) - _brightness(other)) < 0.02
    # High clips stand beside each other; frames without a rate have the one that is asked for.
    high = frames(3, (64, 32))
    shown, _ = told("ReelpatchCompare", before=high, after=high, fps=12.5)
    (film,) = shown["reelpatch_compare"]
    assert (film["after"], film["fps"]) == ((32, 0), 12.5)
    shown, _ = told("ReelpatchCompare", before=clip(fps=9.0), after=frames())
    assert shown["reelpatch_compare"][0]["fps"] == 9.0


def check_compare_shows_large_clips_smaller():
    images = torch.rand(1, 16, 1600, 3).expand(2, 16, 1600, 3)
    shown, _ = told("ReelpatchCompare", before=images, after=images)
    (film,) = shown["reelpatch_compare"]
    assert (film["width"], film["height"], film["source"]) == (1280, 13, (1600, 16))


def check_compare_shows_a_longer_and_larger_source_as_its_result_is():
    """As a VACE task works on the first frames of a clip, at a smaller size."""
    result = frames(5, (32, 48))
    source = torch.cat([result, frames(4, (32, 48), seed=9)]).repeat_interleave(2, 1).repeat_interleave(2, 2)
    shown, _ = told("ReelpatchCompare", before=source, after=result)
    (film,) = shown["reelpatch_compare"]
    assert (film["frames"], film["source"], film["after"]) == (5, (48, 32), (0, 32))
    made = _film(film["filename"]).get_components().images
    above, below = made[:, :32], made[:, 32:]
    off = (above - below).abs().mean()  # by the codec, and the filter that made it smaller
    assert off < (above - below.roll(1, 0)).abs().mean() / 2
    assert off < (above - below.roll(1, 2)).abs().mean() / 2


def check_measure_tells_draws_and_writes():
    before = frames(6, (48, 64))
    after = before.clone()
    after[:, 8:24, 8:40] = (after[:, 8:24, 8:40] + 0.4) % 1
    mask = torch.zeros(1, 48, 64)
    mask[:, 8:24, 8:40] = 1
    shown, (text, plot, figures) = told("ReelpatchMeasure", before=before, after=after, mask=mask, joins="3")
    found = json.loads(figures)
    assert found["outside"]["values_changed"] == 0
    assert found["outside"]["psnr_db"] is None  # equal
    assert found["inside"]["change_levels"] > 20
    assert "0 values of 8 bits differ" in text
    assert "join before frame 3" in text
    assert plot.shape[0] == 1
    assert plot.shape[3] == 3
    assert float(plot.std()) > 0.01
    assert len(shown["images"]) == 1
    assert shown["text"] == (text,)
    has_opencv = importlib.util.find_spec("cv2") is not None
    assert (found["flicker"] is not None) == has_opencv
    assert ("flicker: not measured, OpenCV is not installed" in text) != has_opencv
    _, (text, *_) = told("ReelpatchMeasure", before=clip(before), after=after)
    assert text.startswith("overall: PSNR")
    return {"opencv": has_opencv}


def _planned(**inputs):
    given = {
        **{"recipe": "ditto-global", "width": 0, "height": 0, "frames": 0, "steps": 0, "cfg": 0.0},
        **{"references": 0, "edits": 1, "dtype": "auto", "card": "this machine", "vram": 0.0, "ram": 0.0},
        **inputs,
    }
    shown, (text,) = told("ReelpatchPlan", **given)
    assert shown["text"] == (text,)
    return text


def check_plan_tells_before_anything_is_loaded():
    text = _planned(card="RTX 4090", vram=12.0, ram=32.0)
    assert "Recipe ditto-global on 832x480, 73 frames" in text
    assert "tokens: 29,640 = 19 x 30 x 52" in text
    assert "stated machine (RTX 4090), 12 GiB VRAM, 32 GiB RAM" in text
    assert "time on RTX 4090: ~" in text
    assert "this machine" in text
    assert "  " not in text
    tight = _planned(vram=1.0, ram=8.0)
    assert "DOES NOT FIT" in tight
    assert "--" not in tight
    assert "81 frames" in _planned(frames=81)
    assert "on 48x32, 9 frames" in _planned(clip=clip())
    assert "the headers of" in _planned(recipe="demo")
    return text.splitlines()


def check_crop_to_mask_is_stitched_back_bit_for_bit():
    images, video = _video(num_frames=9, size=(90, 140))
    whole = _fitted(video)[0]
    mask = torch.zeros(9, 90, 140)
    for index in range(9):
        mask[index, 30:44, 20 + 8 * index : 34 + 8 * index] = 1
    cropped, inner, shown = call(
        "ReelpatchCropToMask", clip=whole, mask=mask, margin=4, reach=6, width=0, height=0
    )
    size = cropped.plan.size
    assert size[0] * size[1] * 2 <= whole.plan.size[0] * whole.plan.size[1]  # at least twice fewer tokens
    assert inner.sum() == mask.sum()
    samples = {"samples": torch.zeros(1, 16, 3, size[0] // 8, size[1] // 8)}
    for where in (inner, mask):
        video_out, out = call(
            "ReelpatchFinishClip",
            samples=samples,
            vae=EchoVae(1 - shown),
            clip=cropped,
            mask=where,
            grow=2,
            feather=4,
        )
        assert out.shape == images.shape
        near = torch.nn.functional.max_pool2d(mask[:, None], 13, 1, 6)[:, 0] > 0
        assert torch.equal(out[~near], images[~near])
        assert difference(out[mask > 0], images[mask > 0]) > 0.1
    assert video_out.get_components().audio["waveform"].shape[-1] == 7200
    # Scaled up for the model, and back.
    cropped, inner, shown = call(
        "ReelpatchCropToMask", clip=whole, mask=mask, margin=4, reach=6, width=128, height=128
    )
    assert shown.shape[1:3] == (128, 128)
    samples = {"samples": torch.zeros(1, 16, 3, 16, 16)}
    _, out = call("ReelpatchFinishClip", samples=samples, vae=EchoVae(1 - shown), clip=cropped, mask=inner)
    assert torch.equal(out[mask == 0], images[mask == 0])


def check_a_cropped_clip_goes_through_the_whole_edit():
    whole = clip(frames(9, (64, 96)))
    mask = torch.zeros(1, 64, 96)
    mask[:, 20:30, 30:44] = 1
    cropped, inner, _ = call(
        "ReelpatchCropToMask", clip=whole, mask=mask, margin=0, reach=0, width=0, height=0
    )
    model, latent = apply(backbone(), module(), clip=cropped, mask=inner)
    made = sample(model, latent=latent["samples"])
    decoded = EchoVae(torch.rand(9, *cropped.plan.size, 3))
    _, out = call("ReelpatchFinishClip", samples={"samples": made}, vae=decoded, clip=cropped, mask=inner)
    assert torch.equal(out[:, mask[0] == 0], whole.source[:, mask[0] == 0])
    assert difference(out, whole.source) > 0.1


def check_finish_clip_grows_feathers_and_matches():
    images, video = _video(size=(48, 64))
    working, shown, *_ = _fitted(video)
    mask = torch.zeros(1, 48, 64)
    mask[:, 16:32, 16:48] = 1
    samples = {"samples": torch.zeros(1, 16, 3, 6, 8)}
    darker = (shown * 0.5)[: working.plan.frames]

    def finished(**how):
        return call(
            "ReelpatchFinishClip", samples=samples, vae=EchoVae(darker), clip=working, mask=mask, **how
        )[1]

    reach = torch.nn.functional.max_pool2d(mask[:, None], 11, 1, 5)[0, 0] > 0
    soft = finished(grow=2, feather=3, blend="edges")
    assert torch.equal(soft[:, ~reach], images[:, ~reach])
    assert difference(soft[:, mask[0] > 0], images[:, mask[0] > 0]) > 0.1
    plain = finished()
    matched = finished(match="mean", match_frames=0.0)
    inside = mask[0] > 0
    assert (matched[:, inside] - images[:, inside]).abs().mean() < 0.2 * (
        plain[:, inside] - images[:, inside]
    ).abs().mean()
    whole = call(
        "ReelpatchFinishClip", samples=samples, vae=EchoVae(darker), clip=working, match="histogram"
    )[1]
    assert (whole - images).abs().mean() < 0.02


def check_what_cannot_be_is_refused():
    nine, five = frames(9), frames(5)
    whole, mask = clip(nine), torch.ones(1, 32, 48)
    cropping = {"mask": mask, "margin": 0, "reach": 2, "width": 0, "height": 0}
    cropped, inner, shown = call("ReelpatchCropToMask", clip=whole, **cropping)
    samples = {"samples": torch.zeros(1, 16, 3, 4, 6)}
    finish = {"samples": samples, "vae": EchoVae(shown), "clip": cropped}
    register()
    files()
    return [
        refused(lambda: told("ReelpatchMeasure", before=nine, after=five), "9 frames of 48x32", "5 frames"),
        refused(lambda: told("ReelpatchCompare", before=nine[..., :1], after=nine), "without alpha"),
        refused(lambda: told("ReelpatchMeasure", before=nine, after=frames(9, (32, 32))), "48x32", "32x32"),
        refused(lambda: told("ReelpatchMeasure", before=nine, after=nine, mask=mask[:, :8]), "48x8"),
        refused(lambda: told("ReelpatchMeasure", before=nine, after=nine, joins="a,2"), "'a,2'"),
        refused(lambda: told("ReelpatchMeasure", before=nine, after=nine, joins="9"), "9"),
        refused(lambda: _planned(frames=10), "10"),
        refused(lambda: _planned(width=832), "width and height"),
        refused(lambda: call("ReelpatchCropToMask", clip=cropped, **cropping), "cropped to a mask already"),
        refused(
            lambda: call("ReelpatchCropToMask", clip=whole, **{**cropping, "mask": mask * 0}), "0 everywhere"
        ),
        refused(lambda: call("ReelpatchFinishClip", **finish, mask=inner, feather=3), "reach", "to 3"),
        refused(lambda: call("ReelpatchFinishClip", **finish, feather=2), "none is connected"),
        refused(lambda: call("ReelpatchFinishClip", **finish, mask=inner, blend="edges"), "needs a feather"),
    ]


def check_rates_of_films_are_kept():
    for rate in (Fraction(24000, 1001), Fraction(30000, 1001), Fraction(60)):
        _, video = _video(num_frames=3, size=(32, 32), fps=rate)
        images = frames(3, (32, 32))
        shown, _ = told("ReelpatchCompare", before=video, after=images)
        assert abs(_film(shown["reelpatch_compare"][0]["filename"]).get_components().frame_rate - rate) < 0.01
