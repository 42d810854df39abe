"""Blocks that run over pieces of their tokens compute what whole ones do, by no more arithmetic, and leave nothing behind."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from reelpatch.edits.contract import Edit, Moment
from reelpatch.edits.sharing.edit import SharingEdit
from reelpatch.edits.sharing.schedule import SCHEDULES, Policy, Rule, SharingMethod, Stage, Stages
from reelpatch.edits.vace.edit import VaceContext, VaceEdit
from reelpatch.families.pieces import Pieces
from reelpatch.headless.hosts.wan_host import SeenPicture, predict_velocity
from reelpatch.headless.hosts.wan_pieces import work_in_pieces
from reelpatch.headless.models.lora import apply_lora
from reelpatch.headless.models.streaming import stream_blocks
from tests.golden import tiny_wan
from tests.golden.deterministic import make_input

MOMENT = Moment(sigma=0.625, step=0, num_steps=4, conditional=(True,))
LATENTS = make_input((1, 4, 3, 4, 6))  # 18 tokens
TEXT = make_input((1, 512, 24), 0.17, 1.0)
CONTEXT = make_input((12, 3, 4, 6), 0.23, 3.0)


def models() -> tuple[Any, Any]:
    backbone, module = tiny_wan.backbone_and_module()
    return backbone, module


def vace(module: Any) -> VaceEdit:
    return VaceEdit(module, [VaceContext(CONTEXT, 0.7), VaceContext(CONTEXT.flip(1))])


@torch.no_grad()
def run(backbone: Any, edits: list[Edit], piece: int | None, **options: Any) -> Tensor:
    work_in_pieces(backbone, piece)
    return predict_velocity(backbone, LATENTS, TEXT, moment=MOMENT, edits=edits, **options)


def assert_alike(found: Tensor, expected: Tensor) -> None:
    """Sums of another length are rounded in another order; nothing else may differ."""
    assert found.dtype == expected.dtype
    assert (found - expected).abs().max() <= 1e-6 * expected.abs().max()
    assert not torch.equal(expected, torch.zeros_like(expected))


@pytest.mark.parametrize("piece", [1, 4, 7, 18, 100])
def test_pieces_change_nothing(piece: int) -> None:
    backbone, module = models()
    for edits in ([], [vace(module)]):
        for options in ({}, {"skipped_blocks": frozenset({1})}):
            expected = run(backbone, edits, None, **options)
            assert_alike(run(backbone, edits, piece, **options), expected)


def test_tokens_with_timesteps_of_their_own_keep_them() -> None:
    backbone, _ = models()
    each = torch.linspace(0, 900, 18)[None]
    expected = run(backbone, [], None, timestep=each)
    assert_alike(run(backbone, [], 4, timestep=each), expected)
    assert not torch.allclose(expected, run(backbone, [], 4))


def test_two_clips_at_once() -> None:
    backbone, module = models()
    rows = torch.cat([LATENTS, LATENTS.flip(2)])
    texts = torch.cat([TEXT, TEXT.flip(1)])
    moment = Moment(0.625, 0, 4, (True, False))
    found: list[Tensor] = []
    for piece in (None, 5):
        work_in_pieces(backbone, piece)
        with torch.no_grad():
            found.append(predict_velocity(backbone, rows, texts, moment=moment, edits=[vace(module)]))
    assert_alike(found[1], found[0])


def test_a_picture_is_looked_at_in_every_piece() -> None:
    backbone = tiny_wan.t2v(in_channels=8, image_dim=12, added_kv_proj_dim=tiny_wan.DIM)
    picture = SeenPicture(make_input((4, 3, 4, 6), 0.3, 2.0), make_input((1, 257, 12), 0.1, 1.0))
    expected = run(backbone, [], None, picture=picture)
    assert_alike(run(backbone, [], 5, picture=picture), expected)


def test_loras_work_in_every_piece(tmp_path: Path) -> None:
    width = tiny_wan.DIM
    key = "diffusion_model.blocks.1"
    path = tmp_path / "lora.safetensors"
    save_file(
        {
            f"{key}.self_attn.q.lora_A.weight": make_input((2, width)),
            f"{key}.self_attn.q.lora_B.weight": make_input((width, 2)) / 20,
            f"{key}.self_attn.norm_k.diff": make_input((width,)) / 20,
            f"{key}.ffn.0.diff": make_input((160, width)) / 20,
            f"{key}.diff_m": make_input((1, 6, width)) / 20,
        },
        path,
    )
    backbone, module = models()
    plain = run(backbone, [vace(module)], None)
    apply_lora([backbone, module], path)
    expected = run(backbone, [vace(module)], None)
    assert_alike(run(backbone, [vace(module)], 4), expected)
    assert not torch.allclose(plain, expected)


def test_no_more_is_multiplied_than_without_pieces() -> None:
    backbone, module = models()

    def flops(piece: int | None) -> int:
        with FlopCounterMode(display=False) as counter:
            run(backbone, [vace(module)], piece)
        return counter.get_total_flops()

    assert flops(4) == flops(None)


def test_each_part_of_a_streamed_block_is_sent_once(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone, module = models()
    expected = run(backbone, [vace(module)], 4)
    stream_blocks(backbone, list(backbone.blocks), torch.device("cpu"))
    stream_blocks(module, list(module.vace_blocks), torch.device("cpu"))
    sent: list[object] = []
    group: Any = type(backbone.blocks[0].ffn.reelpatch_sending._group)
    usual: Callable[[Any], None] = group.onload_
    monkeypatch.setattr(group, "onload_", lambda self: (sent.append(self.modules[0]), usual(self))[1])
    assert torch.equal(run(backbone, [vace(module)], 4), expected)
    main = [getattr(block, part) for block in backbone.blocks for part in ("attn1", "attn2", "ffn")]
    assert [one for one in sent if one in main] == main
    # The module's stream runs once for each of the two contexts.
    assert len(sent) == len(main) + 1 * 2 + 2 * 2 * 4


def test_with_gradients_all_tokens_run_at_once() -> None:
    backbone, _ = models()
    work_in_pieces(backbone, 4)
    latents = LATENTS.clone().requires_grad_()
    found = predict_velocity(backbone, latents, TEXT, moment=MOMENT)
    found.sum().backward()
    assert latents.grad is not None
    assert torch.equal(found.detach(), run(backbone, [], None))


def test_blocks_are_left_as_they_were() -> None:
    backbone, module = models()
    run(backbone, [vace(module)], 4)
    assert not any("forward" in vars(part) for part in backbone.modules())


def test_shared_attention_reads_its_keys_in_pieces_too(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone, _ = models()
    rows, texts = torch.cat([LATENTS, LATENTS.flip(2)]), torch.cat([TEXT, TEXT.flip(1)])
    monkeypatch.setitem(SCHEDULES, "local", (Rule(Stage.EARLY, Policy.CONCAT_KV),))  # type: ignore[arg-type]
    edit = SharingEdit(SharingMethod(Stages(0.9, 0.6), "local"))
    moment = Moment(1.0, 0, 3, (True, True))

    def shared(piece: int | None, edits: list[Edit]) -> Tensor:
        work_in_pieces(backbone, piece)
        with torch.no_grad():
            return predict_velocity(backbone, rows, texts, moment=moment, edits=edits)

    expected = shared(None, [edit])
    assert_alike(shared(5, [edit]), expected)
    assert not torch.allclose(shared(None, []), expected)


def test_pieces_cover_all_tokens_once() -> None:
    for tokens, length in ((18, 4), (18, 18), (18, 100), (7, 1), (29_640, 2048)):
        spans = Pieces(length).spans(tokens)
        assert [token for span in spans for token in range(span.start, span.stop)] == list(range(tokens))
        sizes = {span.stop - span.start for span in spans}
        assert max(sizes) <= length
        assert max(sizes) - min(sizes) <= 1
