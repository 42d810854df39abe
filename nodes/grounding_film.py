"""Grounding film: what an in-context edit will change, as its method shows it in front of the clip."""

from typing import Any

from comfy_api.latest import io
from torch import Tensor

from reelpatch.errors import BadInput

from .node_message import say

GROUNDING_KEY = "reelpatch_grounding"
"""In a LATENT: how many latent frames in front of the clip show what will be changed; samplers hand it on."""


class GroundingFilm(io.ComfyNode):
    """The segment is decoded apart, as its method was trained, never in front of the clip."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ReelpatchGroundingFilm",
            display_name="Grounding film",
            category="reelpatch",
            description=(
                "Decodes what VideoCoF makes in front of the clip: it shows what will be changed. Finish clip drops it. Of other "
                "methods there is none."
            ),
            search_aliases=["videocof", "grounding", "preview", "reasoning", "what will be changed"],
            inputs=[
                io.Latent.Input(
                    "samples",
                    tooltip="What the sampler made of the LATENT of Edit in context, by a recipe of VideoCoF.",
                ),
                io.Vae.Input("vae", tooltip="The VAE that Edit in context had."),
            ],
            outputs=[
                io.Image.Output(
                    display_name="film",
                    tooltip="What will be changed, as it was worked on: one frame for each sample, in a row.",
                ),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def execute(cls, samples: dict[str, Any], vae: Any) -> io.NodeOutput:
        latents: Tensor = samples["samples"]
        count = int(samples.get(GROUNDING_KEY, 0))
        if not 0 < count < latents.shape[2]:
            raise BadInput(
                "these latents hold nothing that shows what will be changed: connect what a sampler made of the LATENT of Edit in "
                "context with the recipe videocof or videocof-fast, or take Grounding film out."
            )
        film = vae.decode(latents[:, :, :count]).clamp(0, 1).flatten(0, 1)
        say(cls, f"{len(film)} frame{'' if len(film) == 1 else 's'} of what will be changed.")
        return io.NodeOutput(film)
