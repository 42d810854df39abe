"""Edit long clip: windows in a real ComfyUI, stopped and gone on with, equal to the nodes that edit a short clip."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import comfy.model_management
import folder_paths
import numpy as np
import torch
from comfy.cli_args import args
from comfy_api.internal import make_locked_method_func
from comfy_api.latest import InputImpl, Types, io
from tiny import SIGMAS, Vae, apply, backbone, call, clip, difference, frames, module, text

import nodes
from reelpatch.clips.bytes_and_floats import to_bytes
from reelpatch.errors import BadInput
from reelpatch.media.output_lock import owned_output
from reelpatch.media.video_io import Video, read_video
from reelpatch.media.video_write import write_video
from reelpatch.sampling.noise import draw_noise

args.disable_metadata = True  # files of graphs that differ are compared byte by byte
WINDOW, LENGTH = 9, 21  # windows begin at frames 0, 4, 8 and 12
GRAPH = {"7": {"class_type": "ReelpatchEditLongClip", "inputs": {"video": ["1", 0], "seed": 3}}}


class LongVae(Vae):
    """Decodes too: every latent frame but the first as four pictures."""

    def __init__(self) -> None:
        self.decoded = 0

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        self.decoded += 1
        small = latents[0, :3].permute(1, 2, 3, 0).sigmoid()
        times = torch.tensor([1] + [4] * (len(small) - 1))
        return small.repeat_interleave(times, 0).repeat_interleave(8, 1).repeat_interleave(8, 2)[None]


def film(name: str, num_frames: int, **changes: Any) -> Any:
    path = Path(folder_paths.get_input_directory()) / f"{name}.mp4"
    path.parent.mkdir(exist_ok=True)
    write_video(Video(to_bytes(frames(num_frames)), Fraction(8)), path, crf=0)
    return InputImpl.VideoFromFile(str(path), **changes)


def edited(video: Any, **inputs: Any) -> Path:
    """The file that the node makes; `inputs` as `edited_video` takes them."""
    return Path(edited_video(video, **inputs).get_stream_source())


def edited_video(
    video: Any, *, seed: int = 3, graph: Any = GRAPH, vae: Any = None, extra: Any = None, **inputs: Any
) -> Any:
    """The VIDEO that the node makes, run as ComfyUI runs it; `extra` is what the browser sends with a graph."""
    node = nodes.NODE_CLASS_MAPPINGS["ReelpatchEditLongClip"]
    hidden = {io.Hidden.prompt: graph, io.Hidden.unique_id: "7", io.Hidden.extra_pnginfo: extra}
    clone = node.PREPARE_CLASS_CLONE({"hidden_inputs": hidden})
    sampler = call("ReelpatchFlowUniPC", solver="unipc", whole_timesteps=True)[0]
    given = {
        **{"model": backbone(), "edit_module": module(), "vae": vae or LongVae(), "positive": text(1)},
        **{"sampler": sampler, "sigmas": SIGMAS, "video": video, "seed": seed, "window_frames": WINDOW},
        **{"overlap": 0, "fit": "pad", "width": 0, "height": 0, "strength": 1.0, "start": 0.0, "end": 1.0},
        **{"filename_prefix": "reelpatch/long", **inputs},
    }
    (made,) = make_locked_method_func(node, "execute", clone)(**given).result
    return made


def graph(seed: int) -> Any:
    """A graph that no other check has."""
    return {"7": {"class_type": "ReelpatchEditLongClip", "inputs": {"seed": seed}}}


def check_a_prefix_that_no_file_can_have_is_refused_in_one_sentence():
    video, tried = film("whole", LENGTH), graph(17)
    deep = "/".join(["x" * 150] * 40)

    def refused(prefix):
        vae = LongVae()
        try:
            edited(video, graph=tried, vae=vae, filename_prefix=prefix)
        except BadInput as refusal:
            assert not vae.decoded
            return str(refusal)
        raise AssertionError(f"{prefix[:20]!r} was taken")

    for prefix, words in (
        ("a\0b", "null character"),
        ("a" * 300, "300 bytes"),
        ("é" * 120, "240 bytes"),
        (f"{'a' * 300}/b", "300 bytes"),
        ("\ud800", "half a character"),
        ("../b", "leads out"),
        ("/tmp/b", "leads out"),
        (deep, "cannot be made"),
    ):
        refusal = refused(prefix)
        assert words in refusal, (prefix[:20], refusal)
        assert len(refusal) < 250, refusal
        assert "\n" not in refusal
    longest = edited(video, graph=tried, filename_prefix="b" * 200)
    assert longest.is_file()


def check_the_result_has_the_length_size_and_rate_of_the_video():
    path = edited(film("whole", LENGTH), graph=graph(10))
    made = read_video(path, folder_fps=Fraction(1))
    assert made.frames.shape == (LENGTH, *frames().shape[1:])
    assert made.fps == 8
    assert path.parent == Path(folder_paths.get_output_directory()) / "reelpatch"
    assert sorted(one.name for one in path.parent.glob(f"{path.name}*")) == [path.name]  # no windows left


def cancelled(run: Callable[[LongVae], object], *, after: int) -> None:
    """Runs with a VAE at which the user cancels, once so many windows are decoded."""

    class Cancelled(LongVae):
        def decode(self, latents: torch.Tensor) -> torch.Tensor:
            if self.decoded == after:
                comfy.model_management.interrupt_current_processing()
                comfy.model_management.throw_exception_if_processing_interrupted()
            return super().decode(latents)

    try:
        run(Cancelled())
    except comfy.model_management.InterruptProcessingException:
        return
    raise AssertionError("the run was not cancelled")


def check_a_cancelled_run_goes_on_where_it_was():
    video, whole_vae = film("broken", LENGTH), LongVae()
    whole = edited(video, graph=graph(20), vae=whole_vae)

    cancelled(lambda vae: edited(video, graph=graph(21), vae=vae), after=2)
    again = LongVae()
    path = edited(video, graph=graph(21), vae=again)
    assert (whole_vae.decoded, again.decoded) == (4, 2)
    assert path.read_bytes() == whole.read_bytes()
    once_more = LongVae()
    assert edited(video, graph=graph(21), vae=once_more) == path
    assert once_more.decoded == 0  # it was there


def check_a_result_that_cannot_be_written_is_kept_and_gone_on_with():
    video = film("unwritable", LENGTH)

    class Occupying(LongVae):
        """Somebody makes a folder of the result's name while the last window is worked on."""

        def decode(self, latents: torch.Tensor) -> torch.Tensor:
            if self.decoded == 3:
                (windows,) = Path(folder_paths.get_output_directory()).rglob("long*.windows")
                self.target = windows.with_name(windows.name.removesuffix(".windows"))
                self.target.mkdir()
                (self.target / "file").touch()
            return super().decode(latents)

    occupying = Occupying()
    said = _refused(video, graph=graph(22), vae=occupying)
    assert f"{named(occupying.target)} cannot be written" in said
    assert f"All 4 windows are finished and kept in {named(occupying.target)}.windows" in said
    shutil.rmtree(occupying.target)
    again = LongVae()
    assert edited(video, graph=graph(22), vae=again) == occupying.target
    assert again.decoded == 0
    assert read_video(occupying.target, folder_fps=Fraction(1)).frames.shape[0] == LENGTH


def named(path: Path) -> Path:
    """A file as sentences in ComfyUI name it, which say nothing of where the server keeps it."""
    return Path("output") / path.relative_to(folder_paths.get_output_directory())


def check_a_result_that_another_comfyui_makes_is_left_alone():
    video = film("owned", LENGTH)
    path = edited(video, graph=graph(23))
    path.unlink()
    with owned_output(path):
        said = ""
        try:
            edited(video, graph=graph(23))
        except BadInput as error:
            said = str(error)
        assert f"the output {named(path)} is being made by another run (process " in said
    assert edited(video, graph=graph(23)) == path


def check_one_window_is_what_the_nodes_for_short_clips_make():
    video = film("short", WINDOW)
    path = edited(video, graph=graph(30), lossless=True)
    # Of these frames, which are noise, ComfyUI's reader makes other colours: see what the node sees.
    read = read_video(Path(video.get_stream_source()), folder_fps=Fraction(1)).frames
    source = torch.from_numpy(read).float() / 255
    model, latent = apply(backbone(), module(), clip=clip(source))
    noise = draw_noise(tuple(latent["samples"].shape[-4:]), 3)[None]

    class Noise:
        seed = 3

        def generate_noise(self, _latent: Any) -> torch.Tensor:
            return noise

    guider = call("BasicGuider", model=model, conditioning=text(1))[0]
    sampler = call("ReelpatchFlowUniPC", solver="unipc", whole_timesteps=True)[0]
    given = {"noise": Noise(), "guider": guider, "sampler": sampler, "sigmas": SIGMAS}
    samples = call("SamplerCustomAdvanced", latent_image=latent, **given)[0]
    expected = call("ReelpatchFinishClip", samples=samples, vae=LongVae(), clip=clip(source))[1]
    found, wanted = torch.from_numpy(read_video(path, folder_fps=Fraction(1)).frames), to_bytes(expected)
    off = difference(found.float(), torch.from_numpy(wanted).float())
    assert off <= 1, off
    assert difference(found.float() / 255, source) > 0.1
    return off


def check_a_mask_keeps_the_source():
    video = film("masked", LENGTH)
    mask = torch.zeros(1, *frames().shape[1:3])
    mask[:, :16] = 1
    made = read_video(edited(video, mask=mask, graph=graph(41)), folder_fps=Fraction(1)).frames
    source = read_video(Path(video.get_stream_source()), folder_fps=Fraction(1)).frames
    change = abs(made.astype(int) - source.astype(int)).mean((0, 2, 3))
    assert change[20:].max() < 12 < change[:12].mean()


def check_a_mask_may_be_a_video():
    """White or black in every frame, so that it says what the image does."""
    video = film("masked_by_video", LENGTH)
    picture = torch.zeros(frames().shape[1:3])
    picture[:16] = 1
    path = Path(folder_paths.get_input_directory()) / "mask.mp4"
    shown = picture[None, ..., None].expand(LENGTH, -1, -1, 3)
    write_video(Video(to_bytes(shown), Fraction(8)), path, crf=0)
    by_image = edited(video, mask=picture[None], graph=graph(50))
    by_video = edited(video, mask=InputImpl.VideoFromFile(str(path)), graph=graph(51))
    assert by_image != by_video
    assert by_image.read_bytes() == by_video.read_bytes()


def paint(name: str, *, colour: int = 255, whole: bool = False) -> Any:
    """A mask video that has its shape in its opacity alone: paint of one colour, or a picture."""
    height, width = frames().shape[1:3]
    path = Path(folder_paths.get_input_directory()) / f"{name}.mov"
    with av.open(path, "w") as output:
        stream = output.add_stream("png", rate=8)
        stream.height, stream.width, stream.pix_fmt = height, width, "rgba"
        for shown in to_bytes(frames(LENGTH)):
            picture = np.full((height, width, 4), colour, np.uint8)
            picture[16:, :, 3], picture[:16, :, 3] = 0, 255
            if whole:
                picture[..., :3] = shown
            output.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgba")))
        output.mux(stream.encode(None))
    return InputImpl.VideoFromFile(str(path))


def check_paint_on_transparency_is_a_mask():
    video = film("painted", LENGTH)
    picture = torch.zeros(1, *frames().shape[1:3])
    picture[:, :16] = 1
    expected = edited(video, mask=picture, graph=graph(52)).read_bytes()
    for number, colour in enumerate((255, 0)):
        mask = paint(f"paint_{colour}", colour=colour)
        assert edited(video, mask=mask, graph=graph(53 + number)).read_bytes() == expected
    asked = edited(video, mask=paint("whole", whole=True), mask_channel="alpha", graph=graph(55))
    assert asked.read_bytes() == expected


def check_a_mask_that_cannot_be_told_is_refused():
    video = film("untold", LENGTH)
    black = Path(folder_paths.get_input_directory()) / "black.mp4"
    write_video(Video(to_bytes(frames(LENGTH) * 0), Fraction(8)), black)
    size = frames().shape[1:3]
    assert "transparent parts and colours" in _refused(video, mask=paint("cut", whole=True))
    assert "0 everywhere" in _refused(video, mask=InputImpl.VideoFromFile(str(black)))
    said = _refused(video, mask=torch.zeros(1, *size))
    assert said.endswith("1 (white) marks what is (on the node: mask_channel, mask_threshold)."), said
    assert "threshold is 7" in _refused(video, mask=paint("high"), mask_threshold=7.0)
    output = Path(folder_paths.get_output_directory()) / "reelpatch"
    assert not list(output.glob("*.windows"))


def check_a_sampler_that_adds_noise_adds_that_of_the_clip():
    video = film("renoised", LENGTH)
    renoise = call("ReelpatchFlowUniPC", solver="renoise", whole_timesteps=True)[0]
    one, other = (edited(video, sampler=renoise, graph=graph(number)) for number in (60, 61))
    assert one.read_bytes() == other.read_bytes()
    assert one.read_bytes() != edited(video, graph=graph(62)).read_bytes()


def check_references_are_looked_at():
    video, picture = (
        film("referred", WINDOW),
        torch.rand(24, 24, 3, generator=torch.Generator().manual_seed(1)),
    )
    without = edited(video, graph=graph(70))
    assert edited(video, references=[picture], graph=graph(71)).read_bytes() != without.read_bytes()


def _refused(video: Any, **inputs: Any) -> str:
    try:
        edited(video, **inputs)
    except ValueError as error:
        return str(error)
    return ""


def check_a_playlist_is_not_followed():
    """As one that was uploaded to a server would give out another file of it."""
    inputs = Path(folder_paths.get_input_directory())
    film("private", LENGTH)
    text = "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:1.0,\nprivate.mp4\n#EXT-X-ENDLIST\n"
    for name, head in (("list.m3u8", text), ("list.mp4", "ffconcat version 1.0\nfile private.mp4\n")):
        (inputs / name).write_text(head)
        assert "is not followed: give the video file itself" in _refused(
            InputImpl.VideoFromFile(str(inputs / name)), graph=graph(80)
        )


def check_what_cannot_be_is_said():
    components = Types.VideoComponents(images=frames(), frame_rate=Fraction(8))
    assert "held in memory" in _refused(InputImpl.VideoFromComponents(components))
    assert "no frame of cut.mp4 begins between" in _refused(film("cut", LENGTH, start_time=50.0))
    video = film("refused", LENGTH)
    assert "does not fit the model" in _refused(video, window_frames=10)
    assert "one of width and height is 0" in _refused(video, width=64)
    assert "does not fit windows of 9" in _refused(video, overlap=9)
    assert "edit module" in _refused(video, edit_module=backbone())
    assert "works on a mask" in _refused(video, feather=4)
    assert "the mask" in _refused(video, mask=torch.ones(3, *frames().shape[1:3]))
    output = Path(folder_paths.get_output_directory()) / "reelpatch"
    assert not list(output.glob("*.windows"))
