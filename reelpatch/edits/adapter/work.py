"""What an edit adapter does in a run: clip, mask and references are encoded, and ride along as token segments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from reelpatch.clips.frames import as_video, fit, fit_mask
from reelpatch.clips.references import check_reference, letterbox
from reelpatch.edits.adapter.edit import AdapterEdit, SeenByAdapter
from reelpatch.edits.adapter.module import AdapterModule
from reelpatch.edits.contract import Edit
from reelpatch.edits.segments.layout import SegmentLayout
from reelpatch.edits.work import EditSettings, Encode, Material, PlainWork, Prepared
from reelpatch.families.kinds import FileKind, Kind
from reelpatch.families.wan.layouts import ADAPTER
from reelpatch.weights.header import KnownFile


class AdapterWork(PlainWork):
    """As `ModuleWork`."""

    module_kinds: tuple[FileKind, ...] = (Kind.EDIT_ADAPTER,)

    def names_in(self, file: KnownFile) -> list[str]:
        return [name for name in file.keys if name in ADAPTER]

    def load(
        self,
        weights: Mapping[str, Tensor],
        *,
        beside: Mapping[str, Tensor] | None = None,  # noqa: ARG002 -- as `ModuleWork`; adapters are not quantised
        metadata: Mapping[str, str] | None = None,
        operations: Any = nn,
        layers_cast: bool = False,
        source: str = "this edit adapter",
    ) -> AdapterModule:
        return AdapterModule.from_state_dict(
            weights, metadata=metadata, operations=operations, layers_cast=layers_cast, source=source
        )

    def prepare(self, material: Material, settings: EditSettings, encode: Encode) -> Prepared:
        if isinstance(settings.method, SegmentLayout):
            settings.method.check_references(len(material.references))
        for number, image in enumerate(material.references, start=1):
            check_reference(image, number)
        plan = material.plan
        # A mask that says nothing is black all over: the instruction alone says what to change.
        where = (
            torch.zeros(plan.frames, *plan.size) if material.mask is None else fit_mask(material.mask, plan)
        )
        seen = SeenByAdapter(
            source=encode(as_video(fit(material.clip, plan))),
            mask=encode(as_video(where[..., None].expand(-1, -1, -1, 3))),
            references=[encode(as_video(letterbox(one, *plan.size)[None])) for one in material.references],
        )
        shape = plan.lattice.latent_shape(plan.frames, plan.size)
        return Prepared(shape, seen=seen, lattice=plan.lattice)

    def edits(self, module: nn.Module | None, prepared: Prepared, settings: EditSettings) -> Sequence[Edit]:
        assert isinstance(module, AdapterModule)
        edit = AdapterEdit(module, prepared.seen, settings.window)
        return (edit,) if settings.strength else ()
