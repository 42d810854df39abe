"""Load pair models of a recipe: all files of a recipe that shares attention between two clips."""

from comfy_api.latest import io

from reelpatch.recipes import RECIPES

from .load_models import found_or_told, loaded_with_experts, outputs_with_experts, recipe_inputs


class LoadPairModels(io.ComfyNode):
    """As for editing in context: no edit module, and where two experts follow each other, both."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ReelpatchLoadPairModels",
            display_name="Load pair models of a recipe",
            category="reelpatch/loaders",
            description=(
                "Loads everything that a recipe for pairs of clips names: a text-to-video backbone with its LoRAs, VAE, text "
                "encoder, and the second expert where there are two. Missing files are named before anything runs, with where to "
                "get them."
            ),
            search_aliases=["pair", "insedit", "prompt-to-prompt", "load all"],
            inputs=recipe_inputs(_sharing(), "low_noise"),
            outputs=outputs_with_experts("Paired generation"),
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, recipe: str = "", **typed: str) -> bool | str:
        return found_or_told(recipe, _sharing(), typed)

    @classmethod
    def execute(cls, recipe: str, **typed: str) -> io.NodeOutput:
        return loaded_with_experts(cls, recipe, typed)


def _sharing() -> list[str]:
    return [name for name, record in RECIPES.items() if record.sharing is not None]
