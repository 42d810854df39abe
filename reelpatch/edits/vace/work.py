"""What a VACE edit does in a run: clip, mask and references become a context, which an edit module reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from reelpatch.clips.frames import fit, fit_mask
from reelpatch.clips.references import trim_references
from reelpatch.edits.contract import Edit
from reelpatch.edits.vace.context import build_context
from reelpatch.edits.vace.edit import VaceContext, VaceEdit
from reelpatch.edits.vace.gray_latents import GrayLatents
from reelpatch.edits.vace.module import VaceModule
from reelpatch.edits.work import EditSettings, Encode, Material, Prepared
from reelpatch.families.kinds import FileKind, Kind
from reelpatch.families.wan.layouts import is_of_module
from reelpatch.weights.header import KnownFile


class VaceWork:
    """As `ModuleWork`; what the VAE makes of gray clips is kept from run to run."""

    module_kinds: tuple[FileKind, ...] = (Kind.EDIT_MODULE, Kind.VACE)

    def __init__(self) -> None:
        self._gray = GrayLatents()

    def names_in(self, file: KnownFile) -> list[str]:
        return [name for name in file.keys if file.kind is Kind.EDIT_MODULE or is_of_module(name)]

    def load(
        self,
        weights: Mapping[str, Tensor],
        *,
        beside: Mapping[str, Tensor] | None = None,
        metadata: Mapping[str, str] | None = None,
        operations: Any = nn,
        layers_cast: bool = False,
        source: str = "this edit module",
    ) -> VaceModule:
        return VaceModule.from_state_dict(
            weights,
            beside=beside,
            metadata=metadata,
            operations=operations,
            layers_cast=layers_cast,
            source=source,
        )

    def prepare(self, material: Material, settings: EditSettings, encode: Encode) -> Prepared:  # noqa: ARG002 -- as `EditWork`
        plan = material.plan
        height, width = plan.size
        context = build_context(
            fit(material.clip, plan),
            None if material.mask is None else fit_mask(material.mask, plan),
            material.references,
            self._gray.encoder(encode),
            frames=plan.frames,
            height=height,
            width=width,
        )
        references = len(material.references)
        shape = plan.lattice.latent_shape(plan.frames, plan.size, references=references)
        return Prepared(shape, references, seen=context)

    def edits(self, module: nn.Module | None, prepared: Prepared, settings: EditSettings) -> Sequence[Edit]:
        assert isinstance(module, VaceModule)
        assert isinstance(prepared.seen, Tensor)
        context = VaceContext(prepared.seen, settings.strength, settings.window)
        return (VaceEdit(module, [context], settings.skip_hints),)

    def finish(self, latents: Tensor, prepared: Prepared) -> Tensor:
        return trim_references(latents, prepared.references)
