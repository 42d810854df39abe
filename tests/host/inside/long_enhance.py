"""Enhance long clip: windows in a real ComfyUI, stopped and gone on with, equal to the nodes that enhance a short clip."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import folder_paths
import torch
from comfy_api.internal import make_locked_method_func
from comfy_api.latest import InputImpl, Types, io
from long_clips import LENGTH, WINDOW, LongVae, cancelled, film
from tiny import backbone, call, clip, difference, frames, text

import nodes
from reelpatch.clips.bytes_and_floats import to_bytes
from reelpatch.media.video_io import read_video
from reelpatch.sampling.noise import draw_noise


def enhanced(video: Any, number: int, **inputs: Any) -> Path:
    """The file that the node makes in a graph that no other check has."""
    node = nodes.NODE_CLASS_MAPPINGS["ReelpatchEnhanceLongClip"]
    graph = {"7": {"class_type": "ReelpatchEnhanceLongClip", "inputs": {"seed": number}}}
    clone = node.PREPARE_CLASS_CLONE({"hidden_inputs": {io.Hidden.prompt: graph, io.Hidden.unique_id: "7"}})
    given = {
        **{"model": backbone(), "vae": LongVae(), "positive": text(1), "negative": text(2), "video": video},
        **{"recipe": "enhance", "last_steps": 0, "window_frames": WINDOW, "overlap": 0, "fit": "pad"},
        **{"width": 0, "height": 0, "filename_prefix": "reelpatch/enhanced", "seed": 3, **inputs},
    }
    (made,) = make_locked_method_func(node, "execute", clone)(**given).result
    return Path(made.get_stream_source())


def pictures(path: Path) -> torch.Tensor:
    return torch.from_numpy(read_video(path, folder_fps=Fraction(1)).frames)


def check_the_result_has_the_length_size_and_rate_of_the_video():
    video = film("enhanced", LENGTH)
    path = enhanced(video, 10)
    made = read_video(path, folder_fps=Fraction(1))
    assert made.frames.shape == (LENGTH, *frames().shape[1:])
    assert made.fps == 8
    assert difference(torch.from_numpy(made.frames).float() / 255, video.get_components().images) > 0.1
    assert sorted(one.name for one in path.parent.glob(f"{path.name}*")) == [path.name]  # no windows left


def check_a_cancelled_run_goes_on_where_it_was():
    video, whole_vae = film("enhanced_broken", LENGTH), LongVae()
    whole = enhanced(video, 20, vae=whole_vae)

    cancelled(lambda vae: enhanced(video, 21, vae=vae), after=3)
    again = LongVae()
    path = enhanced(video, 21, vae=again)
    assert (whole_vae.decoded, again.decoded) == (4, 1)
    assert path.read_bytes() == whole.read_bytes()


def check_one_window_is_what_the_nodes_for_short_clips_make():
    video = film("enhanced_short", WINDOW)
    path = enhanced(video, 30, lossless=True)
    # Of these frames, which are noise, ComfyUI's reader makes other colours: see what the node sees.
    source = clip(pictures(Path(video.get_stream_source())).float() / 255)
    given = {"model": backbone(), "vae": LongVae(), "positive": text(1), "negative": text(2), "clip": source}
    guider, sampler, sigmas, latent = call("ReelpatchEnhance", recipe="enhance", last_steps=0, **given)
    noise = draw_noise(tuple(latent["samples"].shape[-4:]), 3)[None]

    class Noise:
        seed = 3

        def generate_noise(self, _latent: Any) -> torch.Tensor:
            return noise

    given = {"noise": Noise(), "guider": guider, "sampler": sampler, "sigmas": sigmas}
    samples = call("SamplerCustomAdvanced", latent_image=latent, **given)[0]
    expected = call("ReelpatchFinishClip", samples=samples, vae=LongVae(), clip=source)[1]
    off = difference(pictures(path).float(), torch.from_numpy(to_bytes(expected)).float())
    assert off <= 1, off
    return off


def _refused(video: Any, **inputs: Any) -> str:
    try:
        enhanced(video, 40, **inputs)
    except ValueError as error:
        return str(error)
    return ""


def check_what_cannot_be_is_said():
    components = Types.VideoComponents(images=frames(), frame_rate=Fraction(8))
    assert "held in memory" in _refused(InputImpl.VideoFromComponents(components))
    video = film("enhanced_refused", LENGTH)
    assert "none is connected" in _refused(video, negative=None)
    assert "use 1 to 14" in _refused(video, last_steps=20)
    assert "does not fit the model" in _refused(video, window_frames=10)
    assert "one of width and height is 0" in _refused(video, width=64)
    output = Path(folder_paths.get_output_directory()) / "reelpatch"
    assert not list(output.glob("*.windows"))
