"""What editing a picture does in a run: the backbone is shown the picture in further channels, and nothing hangs on it."""

from __future__ import annotations

from reelpatch.edits.reasoning.condition import build_condition
from reelpatch.edits.work import EditSettings, Encode, Material, PlainWork, Prepared


class ReasoningWork(PlainWork):
    """As `EditWork`; the material's clip is the picture alone, and its plan has the length of the film."""

    def prepare(self, material: Material, settings: EditSettings, encode: Encode) -> Prepared:  # noqa: ARG002 -- as `EditWork`
        plan = material.plan
        condition = build_condition(material.clip[0], plan.frames, encode, plan.lattice)
        return Prepared(plan.lattice.latent_shape(plan.frames, plan.size), seen=condition.cpu())
