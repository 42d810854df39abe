"""The routes of Mask track's editor: frames of chosen films, and the engine's masks; what is wrong gets one sentence."""

from __future__ import annotations

import asyncio
import importlib
import io
import json
from fractions import Fraction
from pathlib import Path

import folder_paths
import numpy as np
import torch
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from comfy_api.latest import InputImpl, Types
from PIL import Image

import nodes
from reelpatch.clips.mask_track.moments import Moments
from reelpatch.clips.mask_track.render import TrackRenderer
from reelpatch.clips.mask_track.text import read_track

FPS = Fraction(24000, 1001)
TRACK = {
    "mask_track": 1,
    "units": "fractions",
    "times": "seconds",
    "regions": [
        {
            "shape": {"kind": "ellipse", "centre": [0.5, 0.5], "size": [0.5, 0.7]},
            "envelope": {"start": str(2 / FPS), "ramp_in": {"kind": "wipe", "length": 0.5, "direction": 30}},
            "keyframes": [{"at": 0, "rotation": 0}, {"at": 1, "rotation": 90, "position": [0.6, 0.4]}],
        }
    ],
    "feather": 0.05,
}
ASKED = {"width": 96, "height": 64, "frames": 30, "fps": "24000/1001", "first": 0, "count": 30, "most": 512}


def asked(*questions):
    """What the routes answer to each of (method, path, query, body): [status, headers, bytes]."""

    async def answers():
        app = web.Application(client_max_size=100 * 2**20)
        package = nodes.NODE_CLASS_MAPPINGS["ReelpatchMaskTrack"].__module__.rsplit(".", 1)[0]
        app.add_routes(importlib.import_module(f"{package}.track_routes").ROUTES)
        found = []
        async with TestClient(TestServer(app)) as client:
            for method, path, query, body in questions:
                async with client.request(method, path, params=query, data=body) as answer:
                    found.append((answer.status, answer.headers, await answer.read()))
        return found

    return asyncio.run(answers())


def masks_of(track, **more):
    text = track if isinstance(track, str | bytes) else json.dumps(track)
    query = {name: str(value) for name, value in {**ASKED, **more}.items()}
    return asked(("POST", "/reelpatch/mask_track/masks", query, text))[0]


def sentence(answer):
    status, _, body = answer
    assert status == 400, (status, body[:200])
    text = json.loads(body)["error"]
    assert text.count("\n") == 0
    return text


def film(name="clip.mp4", num_frames=20, size=(48, 80)):
    """A film whose frames tell their numbers by their brightness."""
    height, width = size
    levels = torch.linspace(0.1, 0.9, num_frames)[:, None, None, None]
    images = levels.expand(num_frames, height, width, 3).clone()
    path = Path(folder_paths.get_input_directory()) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    InputImpl.VideoFromComponents(Types.VideoComponents(images=images, audio=None, frame_rate=FPS)).save_to(
        str(path), format=Types.VideoContainer.MP4, codec=Types.VideoCodec.H264
    )
    return path, levels.flatten().numpy()


def check_masks_are_the_engines():
    """Half a level of 255 apart, which is the rounding to bytes."""
    status, headers, body = masks_of(TRACK)
    told = json.loads(headers["Reelpatch-Masks"])
    assert (status, told) == (
        200,
        {"width": 96, "height": 64, "first": 0, "count": 30, "left_out": [], "of_run": []},
    )
    found = np.frombuffer(body, np.uint8).reshape(30, 64, 96)
    renderer = TrackRenderer(read_track(json.dumps(TRACK)), (64, 96), Moments(30, FPS))
    real = renderer.part(0, 30).numpy()
    assert np.abs(found - real * 255).max() <= 0.5 + 1e-4
    assert real.max() == 1
    assert not found[:3].any()  # the start is frame 2, and a ramp begins at 0
    assert found[29].max() == 255


def check_masks_are_of_bounded_size():
    _, headers, body = masks_of(TRACK, width=2560, height=1350, count=64, most=2048)
    told = json.loads(headers["Reelpatch-Masks"])
    assert (told["width"], told["height"]) == (2048, 1080)
    assert len(body) == told["count"] * 2048 * 1080 <= 2**24
    _, headers, body = masks_of(TRACK, first=28, count=9)
    assert json.loads(headers["Reelpatch-Masks"])["count"] == 2


def check_masks_from_a_link_are_left_out_and_said():
    track = {**TRACK, "regions": [{"shape": {"kind": "masks"}}, *TRACK["regions"]]}
    _, headers, body = masks_of(track)
    assert json.loads(headers["Reelpatch-Masks"])["left_out"] == [0]
    assert body == masks_of(TRACK)[2]


def check_masks_of_the_last_run_are_drawn_for_the_clip_that_it_had():
    """One level of 255 apart: they are kept in bytes, and drawn in bytes."""
    node = nodes.NODE_CLASS_MAPPINGS["ReelpatchMaskTrack"]
    given = torch.rand(30, 64, 96, generator=torch.Generator().manual_seed(3))
    text = json.dumps({**TRACK, "regions": [*TRACK["regions"], {"shape": {"kind": "masks"}}]})
    ran = node.execute(clip=torch.zeros(30, 64, 96, 3), track=text, fps=float(FPS), masks=given)
    (run,) = ran.ui["reelpatch_masks"]
    _, headers, body = masks_of(text, run=run)
    told = json.loads(headers["Reelpatch-Masks"])
    assert (told["left_out"], told["of_run"]) == ([], [1])
    found = np.frombuffer(body, np.uint8).reshape(30, 64, 96)
    assert np.abs(found - ran.args[0].numpy() * 255).max() <= 1
    for more in ({"run": "another"}, {"run": run, "frames": 31}, {"run": run, "width": 95}):
        _, headers, _ = masks_of(text, **more)
        assert json.loads(headers["Reelpatch-Masks"])["left_out"] == [1]
    plain = node.execute(
        clip=torch.zeros(30, 64, 96, 3), track=json.dumps(TRACK), fps=float(FPS), masks=given
    )
    assert "reelpatch_masks" not in plain.ui


def check_masks_of_old_runs_go_first():
    package = nodes.NODE_CLASS_MAPPINGS["ReelpatchMaskTrack"].__module__.rsplit(".", 1)[0]
    kept = importlib.import_module(f"{package}.track_given")
    memory = kept.Remembered(most_bytes=250)
    masks = kept.GivenMasks(torch.ones(1, 10, 10))
    names = [memory.keep(masks) for _ in range(3)]
    assert [memory.masks(name, (1, 10, 10)) is not None for name in names] == [False, True, True]
    assert memory.keep(kept.GivenMasks(torch.ones(3, 10, 10))) == ""
    assert memory.masks(names[-1], (1, 10, 10)).frame(0).max() == 1


def check_what_is_wrong_with_a_track_or_a_request_is_one_sentence():
    for track, words in (
        ("", "is no JSON text"),
        (b"\xff\xff\xff", "is no JSON text"),
        ("[" * 100_000, "nested too deeply"),
        (json.dumps(TRACK).replace("0.7", "NaN"), "NaN"),
        ({**TRACK, "colour": "red"}, "unknown field 'colour'"),
        (" " * 2_000_000, "longer than 1 MB"),
    ):
        assert words in sentence(masks_of(track)), words
    for more, words in (
        ({"width": 10**9}, "whole number from 1 to 16384"),
        ({"width": 16384, "height": 16384}, "pixels"),
        ({"first": 30}, "has 30 frames"),
        ({"count": -1}, "whole number from 1 to 64"),
        ({"count": "1" * 5000}, "whole number from 1 to 64"),
        ({"fps": "1/0"}, "give a rate"),
        ({"fps": ""}, "no frame rate"),
    ):
        assert words in sentence(masks_of(TRACK, **more)), words


def check_a_film_is_told_and_its_frames_are_shown():
    path, levels = film()
    here = {"filename": "clip.mp4", "type": "input", "most": "64"}
    told, one, two = asked(
        ("GET", "/reelpatch/film", here, None),
        ("GET", "/reelpatch/film/strip", {**here, "strip": "0"}, None),
        ("GET", "/reelpatch/film/strip", {**here, "strip": "1"}, None),
    )
    told = json.loads(told[2])
    assert told["strip"] == {"frames": 16, "width": 64, "height": 38, "step": 48}
    del told["strip"]
    seen_by_comfy = InputImpl.VideoFromFile(str(path)).get_components()
    assert told == {"width": 80, "height": 48, "frames": 20, "fps": str(Fraction(seen_by_comfy.frame_rate))}
    assert len(seen_by_comfy.images) == 20
    seen = []
    for strip, count in ((one, 16), (two, 4)):
        picture = np.asarray(Image.open(io.BytesIO(strip[2])).convert("L"), np.float64)
        assert picture.shape == (count * 48, 64)
        seen += [picture[48 * place : 48 * place + 38].mean() / 255 for place in range(count)]
    # Two codecs: half of what one frame differs from the next would already be another frame.
    assert np.abs(np.array(seen) - levels).max() < (levels[1] - levels[0]) / 2


def check_files_elsewhere_are_not_shown():
    inside = Path(folder_paths.get_input_directory())
    film("deeper/clip.mp4", 3)
    (inside.parent / "secret.mp4").write_bytes((inside / "deeper" / "clip.mp4").read_bytes())
    (inside / "notes.mp4").write_text("#EXTM3U\n../secret.mp4\n")

    def of(name, kind="input", subfolder=""):
        query = {"filename": name, "type": kind, "subfolder": subfolder, "most": "64"}
        return asked(("GET", "/reelpatch/film", query, None))[0]

    assert of("clip.mp4", subfolder="deeper")[0] == of("deeper/clip.mp4")[0] == 200
    for name, subfolder in (
        ("../secret.mp4", ""),
        ("secret.mp4", ".."),
        ("deeper/../../secret.mp4", ""),
        (str(inside.parent / "secret.mp4"), ""),
        ("secret.mp4", str(inside.parent)),
        ("", ""),
        ("", "deeper"),
    ):
        assert "lies outside" in sentence(of(name, subfolder=subfolder)), name
    assert "there is no file" in sentence(of("nothing.mp4"))
    assert "there is no file" in sentence(of("nul\0.mp4"))
    assert "is no folder of ComfyUI's" in sentence(of("clip.mp4", kind="models"))
    assert "playlist" in sentence(of("notes.mp4"))
