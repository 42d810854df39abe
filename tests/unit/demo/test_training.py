"""Training: a stopped run goes on to where an unbroken one ends, Muon orthogonalises, text ids are UMT5's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from reelpatch.headless.demo import scenes
from training import latents, run, vae, words
from training.muon import orthogonalise


class _Stopped(Exception):
    pass


def _trained(checkpoint: Path, *, stop_at: int | None = None) -> dict[str, Tensor]:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 2))

    def loss_of(step: int) -> Tensor:
        if step == stop_at:
            raise _Stopped
        x = torch.randn(16, 6, generator=torch.Generator().manual_seed(step))
        return (module(x) - x[:, :2].sin()).square().mean()

    optimizer = run.Matrices(module, muon_lr=0.02, adamw_lr=1e-3)
    return run.train(module, optimizer, loss_of, num_steps=40, checkpoint=checkpoint).weights


def test_a_stopped_run_ends_where_an_unbroken_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unbroken = _trained(tmp_path / "a.pt")
    monkeypatch.setattr(run, "SAVE_EVERY_S", 0.0)
    with pytest.raises(_Stopped):
        _trained(tmp_path / "b.pt", stop_at=17)
    resumed = _trained(tmp_path / "b.pt")
    for name, weight in unbroken.items():
        torch.testing.assert_close(resumed[name], weight, atol=0, rtol=0)
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("shape", [(8, 40), (40, 8), (16, 16)])
def test_muon_brings_singular_values_near_one(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    values = torch.linalg.svdvals(orthogonalise(matrix))
    assert values.min() > 0.6
    assert values.max() < 1.3


def test_token_ids_are_those_of_umt5_for_padding_and_end() -> None:
    ids = words.encode(["Make the circle BLUE", "zebra", ""])
    assert ids[0].tolist()[4:6] == [1, 0]
    assert ids[1].tolist()[:3] == [2, 1, 0]
    assert ids[2].tolist() == [1] + [0] * (words.MAX_TOKENS - 1)


def test_a_lost_edge_counts_the_same_however_faint_it_is() -> None:
    clip = torch.zeros(1, 3, 5, 8, 8)
    clip[..., 4:] = 1.0
    gone = vae.edges_lost(torch.cat([clip, 0.2 * clip]), torch.cat([clip, 0.2 * clip]))
    torch.testing.assert_close(gone, torch.ones(2), atol=0.03, rtol=0)
    assert vae.edges_lost(clip, torch.zeros_like(clip)).item() == 0.0


def test_false_motion_is_a_share_of_the_clip_s_own() -> None:
    clip = torch.arange(5.0).view(1, 1, 5, 1, 1).expand(1, 3, 5, 8, 8) * 0.5
    jumps = torch.zeros_like(clip)
    jumps[:, :, 3:] = 1.0  # once, where the clip moves four times by half of it
    torch.testing.assert_close(vae.flicker(clip, jumps), torch.ones(1), atol=0.01, rtol=0)
    assert vae.flicker(clip, jumps * 0 + 0.3).item() == 0.0  # an error that stands still
    assert vae.flicker(clip[:, :, :1], jumps[:, :, :1]).tolist() == [0.0]


def test_a_continued_scene_shows_its_result_where_it_is_kept() -> None:
    whole, continued = (make(scenes.HELD_OUT + 3) for make in (scenes.example, scenes.continued))
    assert not continued.mask[:5].any()
    assert continued.mask[5:].all()
    np.testing.assert_array_equal(continued.kept[:5], continued.target[:5])
    assert np.abs(continued.kept - continued.source).max() > 0.02
    np.testing.assert_array_equal(whole.kept, whole.source)


def test_scenes_beyond_those_of_the_judge_practise_what_is_hard() -> None:
    first = latents.FIRST_SEED + latents.NUM_AS_JUDGED
    one, two, three, four = (latents.scene_of(first + index) for index in range(4))
    assert (one.mask_kind, one.num_things) == ("time", 2)
    assert (two.kind, two.mask_kind) == ("style", "time")
    assert three.kind == "style"
    assert four.kept is four.target
    assert latents.scene_of(first - 1).instruction == scenes.example(first - 1).instruction
