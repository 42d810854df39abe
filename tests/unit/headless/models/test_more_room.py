"""Where a card's memory ends although the plan saw room, the run begins again with more of the weights streamed.

The card is a number here: `card_bytes` says how large it is, and the backbone runs out of memory while too much of it lies there.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from reelpatch.clips.bytes_and_floats import to_floats
from reelpatch.errors import BadInput
from reelpatch.headless import loaded_recipe
from reelpatch.headless.editor import Editor
from reelpatch.headless.enhancer import Enhancer
from reelpatch.headless.loaded_recipe import LoadedRecipe
from reelpatch.headless.models import chosen_recipe
from reelpatch.headless.models.loaded_transformer import LoadedTransformer
from reelpatch.headless.models.machine_options import MachineOptions
from reelpatch.headless.models.out_of_memory import OutOfMemory
from reelpatch.headless.models.placement import Placement
from reelpatch.headless.picture_editor import PictureEditor
from reelpatch.plan.memory import GIB
from reelpatch.recipes import recipe
from tests.conftest import moving_square

CLIP = to_floats(moving_square())
Loads = list[int]


def by_instruction(models: Path) -> Tensor:
    return Editor(recipe("demo"), models).edit(CLIP, "make it sepia")


def enhanced(models: Path) -> Tensor:
    return Enhancer(recipe("demo-enhance"), models).enhance(CLIP)


def picture(models: Path) -> Tensor:  # of the weights that ship, as the tiny ones edit no pictures
    del models
    return PictureEditor(recipe("demo-picture")).edit(to_floats(moving_square(1, 64, 64))[0], "make it").film


def on_a_card(monkeypatch: pytest.MonkeyPatch, *, is_full: Callable[[Placement], bool]) -> Loads:
    """How many blocks stay on the card at each load: one with room for all of them, by the plan, but that is full where it is said."""
    found: Loads = []
    load = LoadedRecipe._load_transformer

    def noted(self: LoadedRecipe, placement: Placement, **options: bool) -> LoadedTransformer:
        loaded = load(self, placement, **options)
        found.append(placement.resident_blocks)

        def compute(*_: object) -> None:
            if is_full(placement):
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

        # In the last block, when much is computed.
        self.family.blocks_of(loaded.backbone)[-1].register_forward_pre_hook(compute)
        return loaded

    monkeypatch.setattr(LoadedRecipe, "_load_transformer", noted)
    monkeypatch.setattr(chosen_recipe, "card_bytes", lambda *_: GIB)
    return found


@pytest.mark.parametrize("run", [by_instruction, enhanced, picture])
def test_the_run_begins_again_and_makes_the_same(
    run: Callable[[Path], Tensor],
    models_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    expected = run(models_folder)
    loads = on_a_card(monkeypatch, is_full=lambda placement: placement.resident_blocks > 0)
    assert torch.equal(run(models_folder), expected)
    assert loads[0] > 0
    assert loads[-1] == 0
    assert "The memory of cpu ended: it begins again." in caplog.text


def test_where_nothing_more_can_leave_it_is_said(
    models_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads = on_a_card(monkeypatch, is_full=lambda _: True)
    with pytest.raises(OutOfMemory, match="the memory of cpu is not enough for this edit"):
        by_instruction(models_folder)
    assert len(loads) == 2


def test_what_was_learned_of_the_card_holds_for_the_next_run(
    models_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads = on_a_card(monkeypatch, is_full=lambda placement: placement.resident_blocks > 0)
    editor = Editor(recipe("demo"), models_folder)
    for _ in range(2):
        editor.edit(CLIP, "make it sepia")
    assert loads[0] > 0
    assert loads[1:] == [0, 0]  # of each run once, as a streamed backbone leaves the card before decoding


def test_a_run_that_fits_in_no_way_says_nothing_of_the_next(
    models_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_full = True
    loads = on_a_card(monkeypatch, is_full=lambda _: is_full)
    editor = Editor(recipe("demo"), models_folder)
    with pytest.raises(OutOfMemory):
        editor.edit(CLIP, "make it sepia")
    assert not editor.layers_held  # the next one has the card to itself
    is_full = False
    editor.edit(CLIP, "make it sepia")
    assert loads[-1] == loads[0] > 0


def test_a_clip_that_just_fits_a_limit_is_not_refused_for_what_was_learned_of_the_card(
    models_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the second window of a clip would be, in whose first one the memory ended."""
    real = loaded_recipe.place

    def just_fits(*job: Any, card: int, is_limited: bool, **options: Any) -> Placement:
        if is_limited and card < GIB:
            raise BadInput("it needs 1 GiB")
        return real(*job, card=card, is_limited=is_limited, **options)

    monkeypatch.setattr(loaded_recipe, "place", just_fits)
    loads = on_a_card(monkeypatch, is_full=lambda placement: placement.resident_blocks > 0)
    editor = Editor(recipe("demo"), models_folder, machine=MachineOptions(vram_limit=1))
    for _ in range(2):
        editor.edit(CLIP, "make it sepia")
    assert loads[1:] == [0, 0]
