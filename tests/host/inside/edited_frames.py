"""Edit long clip keeps an edited frame 0 and follows it: equal to the command line, and what it refuses."""

from __future__ import annotations

import shutil
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import folder_paths
import numpy as np
import torch
from comfy_api.latest import InputImpl
from long_clips import LENGTH, LongVae, edited, film, graph
from tiny import call, frames

from reelpatch.media.video_io import read_video

FOLDER = Path(folder_paths.base_path) / "first_frame_reference"
DEMO_MODELS = Path(__file__).parents[3] / "reelpatch" / "headless" / "demo" / "models"
MOST_OFF = 2  # bytes: two hosts round half a byte either way, and a join moves what is off by as much again
SIZE = tuple(frames().shape[1:3])


def pictures(path: Path) -> np.ndarray:
    return read_video(path, folder_fps=Fraction(1)).frames.astype(int)


@cache
def kept_windows() -> np.ndarray:
    """Every frame that the node made with the demo's models, as its windows hold them, without loss.

    They stay where the result cannot be written: somebody makes a folder of its name while the last window is decoded.
    """
    for place in DEMO_MODELS.iterdir():  # before random ones of the same names
        folder_paths.add_model_folder_path(place.name, str(place), is_default=True)
    models = call("ReelpatchLoadModels", recipe="demo")
    zero = {"steps": 0, "shift": 0.0, "cfg": 0.0}
    sampler, sigmas, guidance, _, strength, *_, held, in_result = call(
        "ReelpatchRecipe", recipe="demo", **zero
    )
    words = call("CLIPTextEncode", clip=models[3], text="make it sepia")[0]
    shutil.copy(FOLDER / "edited.png", Path(folder_paths.get_input_directory()) / "edited.png")
    picture = call("LoadImage", image="edited.png")[0]
    output = Path(folder_paths.get_output_directory()) / "reelpatch"
    decode = models[2].decode

    def occupying(latents: torch.Tensor) -> torch.Tensor:
        for windows in output.glob("follow*.windows"):
            (windows.with_name(windows.name.removesuffix(".windows")) / "in_the_way").mkdir(
                parents=True, exist_ok=True
            )
        return decode(latents)

    models[2].decode = occupying
    video = InputImpl.VideoFromFile(str(FOLDER / "clip.mkv"))
    said = refusal(
        video,
        **{"model": models[0], "edit_module": models[1], "vae": models[2], "positive": words},
        **{"sampler": sampler, "sigmas": sigmas, "guidance": guidance, "strength": strength},
        **{
            "edited_frame": picture,
            "held_frames": held,
            "times_in_result": in_result,
            "window_frames": 9,
            "graph": graph(80),
        },
        filename_prefix="reelpatch/follow",
    )
    assert "cannot be written" in said, said
    (folder,) = output.glob("follow*.windows")
    return np.concatenate([pictures(path) for path in sorted(folder.glob("*.mkv"))])


def refusal(video: Any, **inputs: Any) -> str:
    try:
        edited(video, **inputs)
    except ValueError as error:
        return str(error)
    return ""


def check_it_makes_what_the_command_line_makes():
    found, expected = kept_windows(), pictures(FOLDER / "made.mkv")
    source = pictures(FOLDER / "clip.mkv")
    assert found.shape == expected.shape == source.shape
    off = int(abs(found - expected).max())
    assert off <= MOST_OFF, off
    assert abs(found - source).mean() > 10
    return off


def check_frame_0_is_the_picture_to_the_bit():
    edited_frame = call("LoadImage", image="edited.png")[0][0]
    assert np.array_equal(kept_windows()[0], (edited_frame * 255).round().numpy().astype(int))


def check_another_picture_is_another_result():
    """Also where the graph is the same, as with a file that was exchanged."""
    video, picture = film("followed", LENGTH), torch.rand(1, *SIZE, 3)
    one = edited(video, edited_frame=picture, graph=graph(81))
    once_more = LongVae()
    assert edited(video, edited_frame=picture.clone(), graph=graph(81), vae=once_more) == one
    assert not once_more.decoded
    opaque = torch.cat([picture, torch.ones(1, *SIZE, 1)], dim=-1)
    assert edited(video, edited_frame=opaque, graph=graph(81), vae=once_more) == one
    other = edited(video, edited_frame=1 - picture, graph=graph(81))
    without = edited(video, graph=graph(81))
    assert len({one, other, without}) == 3
    assert len({path.read_bytes() for path in (one, other, without)}) == 3
    assert all(pictures(path).shape == (LENGTH, *SIZE, 3) for path in (one, other))


def check_it_is_held_for_as_long_as_is_asked():
    video, picture = film("held", LENGTH), torch.rand(1, *SIZE, 3)
    one, five = (
        edited(video, edited_frame=picture, held_frames=held, graph=graph(82 + held)) for held in (1, 5)
    )
    assert one.read_bytes() != five.read_bytes()
    assert pictures(five).shape == (LENGTH, *SIZE, 3)


def check_what_cannot_be_followed_is_said_before_any_work():
    video, vae = film("unfollowed", LENGTH), LongVae()
    wide, two, one = torch.rand(1, 32, 64, 3), torch.rand(2, *SIZE, 3), torch.rand(1, *SIZE, 3)
    size = f"{SIZE[1]}x{SIZE[0]}"
    for clip, picture, words in (
        (video, wide, f"the first frame is 64x32 and the clip {size}, of another shape"),
        (video, two, "2 pictures are connected to edited_frame"),
        (film("single", 1), one, "nothing is left to follow"),
    ):
        said = refusal(clip, edited_frame=picture, vae=vae, graph=graph(90))
        assert words in said, said
    assert not vae.decoded
    assert not list((Path(folder_paths.get_output_directory()) / "reelpatch").glob("long*.windows"))
