"""The toy family without ComfyUI."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from reelpatch.edits.capability import Capability
from reelpatch.edits.contract import Edit, Forward, Moment, begin_edits, check_needs
from reelpatch.families.kinds import FileKind
from reelpatch.weights.header import expect
from tests.toy_family.family import TOY_FAMILY, ToyFile
from tests.toy_family.transformer import ToyTransformer, ToyVae


def predict(
    transformer: ToyTransformer,
    latents: Tensor,
    text: Tensor,
    *,
    moment: Moment,
    edits: Sequence[Edit] = (),
    skipped_blocks: frozenset[int] = frozenset(),
    picture: Any = None,  # noqa: ARG001 -- as `Predict`
) -> Tensor:
    check_needs(edits, frozenset({Capability.ADD_AFTER_BLOCK}), host="the toy host")
    running: list[Any] = []

    def around(index: int) -> Any:
        def patch(given: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
            if index == 0:
                running.append(begin_edits(edits, _forward(transformer, given, latents, moment)))
            skips = index in skipped_blocks
            tokens = given["img"] if skips else extra["original_block"](given)["img"]
            return {"img": running[0].after_block(index, tokens, was_skipped=skips)}

        return patch

    patches = {("double_block", index): around(index) for index in range(len(transformer.blocks))}
    timestep = torch.full((len(latents),), 1000 * moment.sigma)
    return transformer(latents, timestep, text, {"patches_replace": {"dit": patches}})


def _forward(transformer: ToyTransformer, given: dict[str, Any], latents: Tensor, moment: Moment) -> Forward:
    frames, rows, columns = latents.shape[-3:]
    return Forward(
        tokens=given["img"],
        grid=TOY_FAMILY.lattice.grid(frames, rows, columns),
        modulation=given["vec"],
        text=given["txt"],
        rotary=given["pe"],
        num_blocks=len(transformer.blocks),
        moment=moment,
        num_channels=latents.shape[1],
        head_dim=TOY_FAMILY.head_dim,
        embed=lambda more: transformer.patch_embedding(more).flatten(2).transpose(1, 2),
    )


class ToyModels:
    """As `FamilyModels`."""

    predict = staticmethod(predict)

    def load_backbone(
        self,
        path: Path,
        *,
        dtype: torch.dtype,  # noqa: ARG002
        device: torch.device,
        kinds: Collection[FileKind],
    ) -> ToyTransformer:
        return _loaded(ToyTransformer(), expect(path, *kinds).path, device)

    def choose_attention(self, backbone: nn.Module, device: torch.device, dtype: torch.dtype) -> str:  # noqa: ARG002
        return ""

    def blocks_of(self, backbone: nn.Module) -> Sequence[nn.Module]:
        return list(backbone.blocks)

    def load_vae(self, path: Path, *, dtype: torch.dtype, device: torch.device) -> ToyVae:  # noqa: ARG002
        return _loaded(ToyVae(), expect(path, ToyFile.VAE).path, device)


def _loaded(model: Any, path: Path, device: torch.device) -> Any:
    model.load_state_dict(load_file(path, device=str(device)))
    return model.eval().requires_grad_(False)
