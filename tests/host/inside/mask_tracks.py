"""Mask track: the same masks as the engine's, for a VIDEO, for frames, and for the part of a video that Clip took."""

from __future__ import annotations

import json
from fractions import Fraction

import torch
from bad_input import refused
from comfy_api.latest import InputImpl, Types
from nodes_alone import EchoVae, _fitted
from tiny import call, frames

import nodes

FPS = Fraction(24000, 1001)
BOX = {"kind": "box", "centre": [0.5, 0.5], "size": [0.5, 0.5]}


def text(*regions, times="seconds", **more):
    return json.dumps({"mask_track": 1, "units": "fractions", "times": times, "regions": regions, **more})


def from_frame(number):
    return text({"shape": BOX, "envelope": {"start": str(number / FPS)}})


def video(num_frames=9, size=(32, 48)):
    images = frames(num_frames, size)
    return images, InputImpl.VideoFromComponents(
        Types.VideoComponents(images=images, audio=None, frame_rate=FPS)
    )


def masks(clip, track, **more):
    return call("ReelpatchMaskTrack", clip=clip, track=track, **{"fps": 0.0, **more})[0]


def edited(mask):
    return mask.flatten(1).any(1).tolist()


def check_a_video_and_its_frames_have_one_mask_each():
    images, clip = video()
    found = masks(clip, from_frame(4))
    assert found.shape == (9, 32, 48)
    assert edited(found) == [False] * 4 + [True] * 5
    assert torch.equal(found[4], found[8])
    assert found[8].sum() == 16 * 24
    assert torch.equal(masks(images, from_frame(4), fps=float(FPS)), found)
    by_frame = text({"shape": BOX, "envelope": {"start": 4}}, times="frames")
    assert torch.equal(masks(images, by_frame), found)
    refused(lambda: masks(images, from_frame(4)), "counts in seconds", "no frame rate")


def check_the_part_that_clip_took_has_the_masks_of_its_frames():
    """Frames 2, 4, 6 of the source at half its rate; what is made of them fits Apply edit and Finish clip."""
    _, whole = video()
    part = _fitted(whole, first_frame=2, frames=3, fps=float(FPS / 2))[0]
    found = masks(part, from_frame(4))
    assert edited(found) == [False, True, True]
    worked = part.mask(found)
    assert len(worked) == part.plan.frames == 5
    late = _fitted(whole, first_frame=4)[0]
    assert edited(masks(late, from_frame(6))) == [False, False, True, True, True]
    cropped = call("ReelpatchCropToMask", clip=part, mask=found, margin=4, reach=4, width=0, height=0)[0]
    assert torch.equal(masks(cropped, from_frame(4)), found)


def check_frames_before_the_start_come_back_bit_for_bit():
    images, whole = video()
    part = _fitted(whole)[0]
    mask = masks(part, from_frame(4))
    made = call(
        "ReelpatchFinishClip",
        samples={"samples": torch.zeros(1, 16, 3, 4, 6)},
        vae=EchoVae(1 - images),
        clip=part,
        mask=mask,
    )[1]
    assert torch.equal(made[:4], images[:4])
    assert torch.equal(made[4:, 8:24, 12:36], 1 - images[4:, 8:24, 12:36])
    assert torch.equal(made[4:, :8], images[4:, :8])


def check_masks_from_a_link_are_moved_and_limited():
    _, clip = video()
    cat = torch.zeros(1, 32, 48)
    cat[:, 4:12, 4:12] = 1
    keys = [{"at": 0, "position": [0.5, 0.5]}, {"at": 8, "position": [0.5 + 8 / 48, 0.5]}]
    track = text({"shape": {"kind": "masks"}, "keyframes": keys, "envelope": {"start": 1}}, times="frames")
    found = masks(clip, track, masks=cat)
    assert edited(found) == [False] + [True] * 8
    assert torch.equal(found[8].nonzero().amin(0), torch.tensor([4, 12]))
    assert torch.equal(masks(clip, track, masks=cat.repeat(9, 1, 1)), found)
    refused(lambda: masks(clip, track), "none are connected")
    refused(lambda: masks(clip, track, masks=cat.repeat(4, 1, 1)), "the mask has 4 frames but the clip has 9")
    named = text({"shape": {"kind": "masks", "file": "/etc/passwd"}})
    refused(lambda: masks(clip, named, masks=cat), "names the file", "connect them")


def check_what_is_no_track_gets_a_sentence():
    _, clip = video()
    for track, words in (
        ("", "is no JSON text"),
        ("[" * 100_000, "nested too deeply"),
        (from_frame(4).replace("0.5", "NaN"), "NaN"),
        (text({"shape": {"kind": "star"}}), "'star' at regions[0].shape.kind"),
        (text(colour="red"), "unknown field 'colour'"),
        (" " * 50_000_000, "longer than 1 MB"),
    ):
        refused(lambda track=track: masks(clip, track), words)


def check_the_text_of_a_fresh_node_is_a_track():
    schema = nodes.NODE_CLASS_MAPPINGS["ReelpatchMaskTrack"].GET_SCHEMA()
    (track,) = [one for one in schema.inputs if one.id == "track"]
    _, clip = video(60)
    assert edited(masks(clip, track.default)) == [False] * 24 + [True] * 36
