"""What enhancing does in a run: sampling begins at the clip itself, and nothing hangs on the transformer."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from reelpatch.clips.frames import as_video, fit
from reelpatch.edits.contract import Edit
from reelpatch.edits.work import EditSettings, Encode, Material, Prepared


class EnhanceWork:
    """As `EditWork`."""

    def prepare(self, material: Material, settings: EditSettings, encode: Encode) -> Prepared:  # noqa: ARG002 -- as `EditWork`
        latents = encode(as_video(fit(material.clip, material.plan))).cpu()
        channels, frames, rows, columns = latents.shape
        return Prepared((channels, frames, rows, columns), clip_latents=latents)

    def edits(
        self,
        module: nn.Module | None,  # noqa: ARG002 -- as `EditWork`
        prepared: Prepared,  # noqa: ARG002
        settings: EditSettings,  # noqa: ARG002
    ) -> Sequence[Edit]:
        return ()

    def finish(self, latents: Tensor, prepared: Prepared) -> Tensor:  # noqa: ARG002
        return latents
