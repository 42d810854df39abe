"""The pictures of the templates for long videos: frames of a long clip above, of what windows made of it below."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from PIL import Image

from benchmarks.enhance import flickering
from reelpatch.headless.runs.edit import run_edit
from reelpatch.headless.runs.enhance import run_enhance
from reelpatch.headless.runs.request import EditRequest, EnhanceRequest
from reelpatch.media.video_io import read_video
from reelpatch.media.video_write import write_video
from workflows.demo_material import FOLDER
from workflows.material_nodes import LONG_CLIP
from workflows.picture import captioned, strip

FRAMES = (0, 16, 32)
INSTRUCTION = "make it sepia"


def long_thumbnail(instruction: str = INSTRUCTION) -> Image.Image:
    """First, middle and last frame of the demo's long clip, before and after its edit."""
    clip = FOLDER / LONG_CLIP
    with tempfile.TemporaryDirectory() as folder:
        edited = Path(folder) / "edited.mp4"
        run_edit(EditRequest(clip, instruction, output=edited))
        return _shown(clip, edited, f'"{instruction}"')


def long_enhance_thumbnail(seed: int = 0) -> Image.Image:
    """The same of that clip made to flicker, before and after it is enhanced."""
    video = read_video(FOLDER / LONG_CLIP, folder_fps=Fraction(1))
    with tempfile.TemporaryDirectory() as folder:
        clip, enhanced = (Path(folder) / name for name in ("clip.mp4", "enhanced.mp4"))
        write_video(replace(video, frames=flickering(video.frames, seed, 0.06)), clip)
        run_enhance(EnhanceRequest(clip, output=enhanced))
        return _shown(clip, enhanced, "a clip that flickers, enhanced")


def _shown(before: Path, after: Path, what: str) -> Image.Image:
    strips = [
        strip(read_video(path, folder_fps=Fraction(1)).frames[list(FRAMES)]) for path in (before, after)
    ]
    return captioned(strips, f"{what}, 33 frames in 7 windows")
