"""What README, notes and recipes show of the demo is done on the clip that it ships with, whatever the seed."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from benchmarks.first_frame import is_in_every_frame
from benchmarks.pictures import is_done
from reelpatch.clips.bytes_and_floats import to_floats
from reelpatch.clips.given_frame import GivenFrame
from reelpatch.clips.mask_track.moments import Moments
from reelpatch.clips.mask_track.render import TrackRenderer
from reelpatch.clips.mask_track.text import read_track
from reelpatch.headless.demo import scenes
from reelpatch.headless.demo.judge import judge, psnr_db
from reelpatch.headless.demo.scenes import Example
from reelpatch.headless.demo.shown_edits import SCENE, SHOWN_EDITS, ShownEdit
from reelpatch.headless.editor import Editor
from reelpatch.headless.picture_editor import PictureEditor
from reelpatch.media.pictures import read_picture
from reelpatch.media.video_io import read_video
from reelpatch.recipes import RECIPES
from workflows.material_nodes import PLACE
from workflows.templates import WORKFLOWS
from workflows.track_nodes import FROM_A_MOMENT_ON

ROOT = Path(__file__).parents[3]
SEEDS = range(1, 6)


class OfOneClip(Editor):
    """Encodes its one clip once, for all instructions and seeds."""

    def _context(self, *given: Any) -> Tensor:
        if not hasattr(self, "_made"):
            self._made = super()._context(*given)
        return self._made


@pytest.fixture(scope="module")
def editor() -> Editor:
    return OfOneClip(RECIPES["demo"])


@pytest.fixture(scope="module")
def in_context() -> Editor:
    """Merged, the adapter's differences are added once and not at every step."""
    return Editor(RECIPES["demo-in-context"], merge_loras=True)


@pytest.fixture(scope="module")
def pictures() -> PictureEditor:
    return PictureEditor(RECIPES["demo-picture"])


@pytest.fixture(scope="module")
def clip() -> Tensor:
    path = ROOT / "workflows" / "reelpatch_demo_clip.mp4"
    return to_floats(read_video(path, folder_fps=Fraction(scenes.FPS)).frames)


def test_the_shipped_clip_is_the_scene(clip: Tensor) -> None:
    truth = scenes.render(SCENE)
    assert clip.shape == truth.shape
    # The mp4's codec loses little: less than the judge's own bars, by far.
    assert psnr_db(clip.numpy(), truth, truth[..., 0] >= 0) > 28


@pytest.mark.parametrize("edit", SHOWN_EDITS, ids=lambda edit: edit.instruction)
def test_it_is_done_with_every_seed(editor: Editor, clip: Tensor, edit: ShownEdit) -> None:
    example = edit.example()
    done = {
        seed: judge(example, editor.edit(clip, edit.instruction, seed=seed).numpy()).hit for seed in SEEDS
    }
    assert all(done.values()), done


def test_the_clip_follows_the_edited_frame_with_every_seed(clip: Tensor) -> None:
    """As the template has it: every frame behind the picture has the edit."""
    (workflow,) = (one for one in WORKFLOWS if one.recipe == "demo" and one.edited_frame)
    (edit,) = (one for one in SHOWN_EDITS if one.instruction == workflow.instruction)
    picture = to_floats(read_picture(ROOT / "workflows" / workflow.edited_frame).pixels)
    given = GivenFrame(picture, RECIPES["demo"].held_frames)
    shown, mask = given.put(clip, None)
    editor = Editor(RECIPES["demo"])
    done = {}
    for seed in SEEDS:
        made = editor.edit(shown, edit.instruction, mask=mask, seed=seed, times_in_result=False)[given.lead :]
        assert torch.equal(made[0], picture)
        done[seed] = is_in_every_frame(edit.example(), made.numpy())
    assert all(done.values()), done


def shown(recipe: str) -> list[ShownEdit]:
    """The edits that a recipe's examples name."""
    return [edit for edit in SHOWN_EDITS if edit.instruction in RECIPES[recipe].examples]


@pytest.mark.parametrize("edit", shown("demo-in-context"), ids=lambda edit: edit.instruction)
def test_it_is_done_in_context_with_every_seed(in_context: Editor, clip: Tensor, edit: ShownEdit) -> None:
    done = {
        seed: judge(edit.example(), in_context.edit(clip, edit.instruction, seed=seed).numpy()).hit
        for seed in SEEDS
    }
    assert all(done.values()), done


@pytest.mark.parametrize("edit", shown("demo-picture"), ids=lambda edit: edit.instruction)
def test_a_picture_is_edited_with_every_seed(pictures: PictureEditor, clip: Tensor, edit: ShownEdit) -> None:
    example = part_of(edit.example(), slice(1))
    done = {
        seed: is_done(example, pictures.edit(clip[0], edit.instruction, seed=seed).picture) for seed in SEEDS
    }
    assert all(done.values()), done


def test_a_picture_gives_the_background_from_a_moment_on_with_every_seed(
    in_context: Editor, clip: Tensor
) -> None:
    """As the template has it: the source until then, the picture's background once the ramp has ended."""
    (workflow,) = (one for one in WORKFLOWS if one.recipe == "demo-in-context")
    track = TrackRenderer(
        read_track(FROM_A_MOMENT_ON),
        (scenes.SIZE_PX, scenes.SIZE_PX),
        Moments(len(clip), Fraction(scenes.FPS)),
    )
    mask = track.part(0, len(clip))
    place = to_floats(read_picture(ROOT / "workflows" / PLACE).pixels)
    before, after = mask.amax((1, 2)) == 0, mask.amin((1, 2)) == 1
    assert before.any()
    assert after.any()
    example = part_of(ShownEdit(workflow.instruction, "background", "ocean").example(), after.numpy())
    done = {}
    for seed in SEEDS:
        made = in_context.edit(clip, workflow.instruction, mask=mask, references=[place], seed=seed)
        assert torch.equal(made[before], clip[before])
        done[seed] = judge(example, made[after].numpy()).hit
    assert all(done.values()), done


def part_of(example: Example, frames: Any) -> Example:
    """Some frames of an example."""
    parts = ("source", "target", "mask", "region", "kept")
    return replace(example, **{part: getattr(example, part)[frames] for part in parts})


@pytest.mark.parametrize("edit", SHOWN_EDITS, ids=lambda edit: edit.instruction)
def test_the_judge_passes_the_truth_and_no_copy(edit: ShownEdit) -> None:
    example = edit.example()
    assert judge(example, example.target).hit
    assert not judge(example, example.source).hit


def test_no_other_example_is_shown() -> None:
    judged = {edit.instruction for edit in SHOWN_EDITS}
    assert set(RECIPES["demo"].examples) | set(RECIPES["demo-picture"].examples) <= judged
    (template,) = (one for one in WORKFLOWS if one.recipe == "demo-in-context")
    assert set(RECIPES["demo-in-context"].examples) <= {*judged, template.instruction}
    assert {one.instruction for one in WORKFLOWS if one.recipe == "demo" and not one.is_long} <= judged
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r'^- "([^"]+)"$', readme, re.MULTILINE)
    assert len(listed) >= 4
    assert set(listed) <= judged
    in_python = re.findall(r'editor\.edit\(frames, "([^"]+)"\)', readme)
    assert set(in_python) <= judged
