"""What enhancing does in a run: sampling begins at the clip itself, and nothing hangs on the transformer."""

from __future__ import annotations

from reelpatch.clips.frames import as_video, fit
from reelpatch.edits.work import EditSettings, Encode, Material, PlainWork, Prepared


class EnhanceWork(PlainWork):
    """As `EditWork`."""

    def prepare(self, material: Material, settings: EditSettings, encode: Encode) -> Prepared:  # noqa: ARG002 -- as `EditWork`
        latents = encode(as_video(fit(material.clip, material.plan))).cpu()
        channels, frames, rows, columns = latents.shape
        return Prepared((channels, frames, rows, columns), clip_latents=latents)
