from typing import Any

import pytest
import torch
from torch import Tensor, nn

from reelpatch.families.attention import apply_rotary, sdpa
from reelpatch.families.lattice import TokenGrid
from reelpatch.families.wan.block import WanBlock
from reelpatch.families.wan.rotary import rotary_table

GRID = TokenGrid(2, 2, 3)
DIM, FFN_DIM, NUM_HEADS = 64, 96, 2


def make_inputs(dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = ((1, GRID.tokens, DIM), (1, 6, DIM), (1, 5, DIM))
    x, modulation, text = (torch.randn(shape, generator=generator).to(dtype) for shape in shapes)
    return x, modulation, text, rotary_table(GRID, DIM // NUM_HEADS)


def make_block(**options: Any) -> WanBlock:
    torch.manual_seed(0)
    return WanBlock(DIM, FFN_DIM, NUM_HEADS, **options).requires_grad_(False)


def test_names_and_shapes_are_the_native_ones() -> None:
    layers = [f"{kind}.{layer}" for kind in ("self_attn", "cross_attn") for layer in "qkvo"]
    expected = {"modulation": (1, 6, DIM), "norm3.weight": (DIM,), "norm3.bias": (DIM,)}
    expected |= {f"{layer}.weight": (DIM, DIM) for layer in layers}
    expected |= {f"{layer}.bias": (DIM,) for layer in layers}
    expected |= {f"{kind}_attn.norm_{x}.weight": (DIM,) for kind in ("self", "cross") for x in "qk"}
    expected |= {"ffn.0.weight": (FFN_DIM, DIM), "ffn.0.bias": (FFN_DIM,)}
    expected |= {"ffn.2.weight": (DIM, FFN_DIM), "ffn.2.bias": (DIM,)}
    assert {name: tuple(tensor.shape) for name, tensor in make_block().state_dict().items()} == expected


def test_layers_come_from_the_host() -> None:
    class Operations:
        class Linear(nn.Linear):
            pass

        class LayerNorm(nn.LayerNorm):
            pass

        class RMSNorm(nn.RMSNorm):
            pass

    block = make_block(operations=Operations, device="meta", dtype=torch.bfloat16)
    weighty = [
        module for module in block.modules() if list(module.parameters(recurse=False)) and module is not block
    ]
    assert len(weighty) == 15
    assert {type(module) for module in weighty} == {
        Operations.Linear,
        Operations.LayerNorm,
        Operations.RMSNorm,
    }
    assert {(p.device.type, p.dtype) for p in block.parameters()} == {("meta", torch.bfloat16)}


def test_attention_and_rotation_come_from_the_host() -> None:
    seen: list[tuple[int, ...]] = []

    def attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        seen.extend(tuple(x.shape) for x in (q, k, v))
        return sdpa(q, k, v)

    def rotate(x: Tensor, rotary: tuple[str, Tensor]) -> Tensor:
        return apply_rotary(x, rotary[1])

    x, modulation, text, table = make_inputs()
    expected = make_block()(x, modulation, text, table)
    found = make_block()(x, modulation, text, ("host's own", table), attention=attention, rotate=rotate)
    assert torch.equal(found, expected)
    video, words = (1, GRID.tokens, NUM_HEADS, DIM // NUM_HEADS), (1, 5, NUM_HEADS, DIM // NUM_HEADS)
    assert seen == [video, video, video, video, words, words]


def test_the_stream_may_be_wider_than_the_layers() -> None:
    x, modulation, text, table = make_inputs(torch.bfloat16)
    block = make_block(dtype=torch.bfloat16)
    narrow, wide = (block(stream, modulation, text, table) for stream in (x, x.float()))
    assert (narrow.dtype, wide.dtype) == (torch.bfloat16, torch.float32)
    torch.testing.assert_close(narrow.float(), wide, atol=0.05, rtol=0.05)


def test_a_float32_stream_may_pass_what_float16_holds() -> None:
    x, modulation, text, table = make_inputs()
    x = 3e4 * x
    expected = make_block()(x, modulation, text, table)
    block = make_block().half()
    block.norm3.float()
    found = block(x, modulation, text.half(), table)
    assert expected.abs().max() > torch.finfo(torch.float16).max
    torch.testing.assert_close(found - x, expected - x, atol=0.05, rtol=0.05)


@pytest.mark.parametrize(("head_dim", "pairs"), [(128, (22, 21, 21)), (64, (12, 10, 10)), (32, (6, 5, 5))])
def test_frames_rows_and_columns_share_the_pairs(head_dim: int, pairs: tuple[int, int, int]) -> None:
    angles = rotary_table(TokenGrid(2, 2, 2), head_dim)[..., 1].asin().view(2, 2, 2, -1)
    along_frames, along_rows, along_columns = (angles[1, 0, 0], angles[0, 1, 0], angles[0, 0, 1])
    of_axis = [(angle != 0).nonzero().flatten() for angle in (along_frames, along_rows, along_columns)]
    assert [len(axis) for axis in of_axis] == list(pairs)
    assert torch.equal(torch.cat(of_axis), torch.arange(head_dim // 2))


def test_rotation_depends_on_the_distance_alone() -> None:
    table = rotary_table(TokenGrid(9, 1, 1), 32)
    q, k = torch.randn(2, 32, generator=torch.Generator().manual_seed(0))

    def score(q_at: int, k_at: int) -> Tensor:
        turned_q = apply_rotary(q.expand(1, 9, 1, 32), table)[0, q_at, 0]
        return turned_q @ apply_rotary(k.expand(1, 9, 1, 32), table)[0, k_at, 0]

    torch.testing.assert_close(score(2, 5), score(5, 8))
    assert abs(score(2, 5) - score(2, 8)) > 0.01
