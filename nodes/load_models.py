"""Load models of a recipe: all files that a recipe names, each found by what it is, or taken from a widget."""

from collections.abc import Mapping, Sequence
from typing import Any

import comfy.clip_vision
import comfy.sd
import comfy.utils
import folder_paths
import torch
from comfy_api.latest import io
from torch import Tensor

from reelpatch.errors import BadInput
from reelpatch.recipes import RECIPES, Recipe

from .backbone import load_backbone
from .demo_text import load_text_encoder
from .edit_module import load_edit_module
from .files import listed
from .lora import loaded_lora, strengths_of
from .node_message import say
from .recipe_files import FILE_WIDGETS, OF_RECIPE, ChosenFile, choose_files, missing_files

_FILE_TOOLTIP = (
    "'recipe': the file that the recipe names, in whichever of its published forms is there. A published file serves the "
    "recipes that name it; any other file takes the place of the recipe's."
)
_NOT_EVERYWHERE = ("edit_module", "clip_vision", "low_noise", "glyph_encoder")


class LoadModels(io.ComfyNode):
    """One node for five loaders, so that another recipe brings its own files along."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ReelpatchLoadModels",
            display_name="Load models of a recipe",
            category="reelpatch/loaders",
            description=(
                "Loads everything that a recipe for edits names: backbone with its LoRAs, edit module, VAE and text "
                "encoder. Missing files are named before anything runs, with where to get them."
            ),
            search_aliases=["ditto", "vace", "vdot", "reco", "easyv2v", "load all", "checkpoint"],
            inputs=recipe_inputs(_editing(), "edit_module"),
            outputs=[
                io.Model.Output(
                    tooltip="The backbone with the recipe's LoRAs; for Edit long clip or Apply edit."
                ),
                io.ModelPatch.Output(display_name="edit module", tooltip="For Edit long clip or Apply edit."),
                io.Vae.Output(tooltip="The Wan2.1 VAE; of easyv2v the Wan2.2 VAE."),
                io.Clip.Output(display_name="text encoder", tooltip="For CLIP Text Encode."),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, recipe: str = "", **typed: str) -> bool | str:
        return found_or_told(recipe, _editing(), typed)

    @classmethod
    def execute(cls, recipe: str, **typed: str) -> io.NodeOutput:
        chosen = choose_files(RECIPES[recipe], typed)
        model, module = _with_loras(chosen)
        say(cls, _told(RECIPES[recipe], chosen))
        return io.NodeOutput(model, module, _vae(chosen), _text_encoder(chosen))


class LoadEnhancer(io.ComfyNode):
    """An enhancer has no edit module."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ReelpatchLoadEnhancer",
            display_name="Load enhancer of a recipe",
            category="reelpatch/loaders",
            description=(
                "Loads everything that a recipe for enhancing names: backbone with its LoRAs, VAE and text encoder. "
                "Missing files are named before anything runs, with where to get them."
            ),
            search_aliases=["enhance", "denoise", "load all"],
            inputs=recipe_inputs(_enhancing()),
            outputs=[
                io.Model.Output(tooltip="The backbone with the recipe's LoRAs; for Enhance."),
                io.Vae.Output(tooltip="The Wan2.1 VAE."),
                io.Clip.Output(display_name="text encoder", tooltip="For CLIP Text Encode."),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, recipe: str = "", **typed: str) -> bool | str:
        return found_or_told(recipe, _enhancing(), typed)

    @classmethod
    def execute(cls, recipe: str, **typed: str) -> io.NodeOutput:
        chosen = choose_files(RECIPES[recipe], typed)
        model, _ = _with_loras(chosen)
        say(cls, _told(RECIPES[recipe], chosen))
        return io.NodeOutput(model, _vae(chosen), _text_encoder(chosen))


class LoadPictureModels(io.ComfyNode):
    """The backbone is one for image-to-video, and a picture encoder comes with it."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ReelpatchLoadPictureModels",
            display_name="Load picture models of a recipe",
            category="reelpatch/loaders",
            description=(
                "Loads everything that a recipe for pictures names: backbone with its LoRAs, VAE, text encoder and picture "
                "encoder. Missing files are named before anything runs, with where to get them."
            ),
            search_aliases=["chronoedit", "edit picture", "load all"],
            inputs=recipe_inputs(_picturing(), "clip_vision"),
            outputs=[
                io.Model.Output(tooltip="The backbone with the recipe's LoRAs; for Reasoning in time."),
                io.Vae.Output(tooltip="The Wan2.1 VAE."),
                io.Clip.Output(display_name="text encoder", tooltip="For CLIP Text Encode."),
                io.ClipVision.Output(
                    display_name="picture encoder",
                    tooltip="For CLIP Vision Encode; one that sees nothing where the recipe's backbone looks at no embedding.",
                ),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, recipe: str = "", **typed: str) -> bool | str:
        return found_or_told(recipe, _picturing(), typed)

    @classmethod
    def execute(cls, recipe: str, **typed: str) -> io.NodeOutput:
        chosen = choose_files(RECIPES[recipe], typed)
        picture_encoder = _picture_encoder(chosen)  # first, as the one that core may not know
        model, _ = _with_loras(chosen)
        say(cls, _told(RECIPES[recipe], chosen))
        return io.NodeOutput(model, _vae(chosen), _text_encoder(chosen), picture_encoder)


class LoadContextModels(io.ComfyNode):
    """No edit module, and where two experts follow each other, both."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ReelpatchLoadContextModels",
            display_name="Load in-context models of a recipe",
            category="reelpatch/loaders",
            description=(
                "Loads everything that a recipe for editing in context names: backbone with its LoRAs, VAE, text encoder, and "
                "the second expert where there are two. Missing files are named before anything runs, with where to get them."
            ),
            search_aliases=["videocof", "bernini", "in-context", "load all"],
            inputs=recipe_inputs(_in_context(), "low_noise"),
            outputs=outputs_with_experts("Edit in context"),
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, recipe: str = "", **typed: str) -> bool | str:
        return found_or_told(recipe, _in_context(), typed)

    @classmethod
    def execute(cls, recipe: str, **typed: str) -> io.NodeOutput:
        return loaded_with_experts(cls, recipe, typed)


class LoadChannelModels(io.ComfyNode):
    """Two text encoders, of which the second reads what stands in quotes, and a picture encoder."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ReelpatchLoadChannelModels",
            display_name="Load channel models of a recipe",
            category="reelpatch/loaders",
            description=(
                "Loads everything that a recipe for editing by channels names: HunyuanVideo-1.5's transformer, VAE, both text "
                "encoders and SigLIP. Missing files are named before anything runs, with where to get them."
            ),
            search_aliases=["capybara", "hunyuan", "load all"],
            inputs=recipe_inputs(
                _by_channels(), "glyph_encoder", "clip_vision", without=("lora", "second_lora")
            ),
            outputs=[
                io.Model.Output(tooltip="The transformer; for Guidance schedule."),
                io.Vae.Output(
                    tooltip="The HunyuanVideo-1.5 VAE; for Clip too, which learns its sizes from it."
                ),
                io.Clip.Output(display_name="text encoder", tooltip="For CLIP Text Encode."),
                io.ClipVision.Output(display_name="picture encoder", tooltip="For Edit by channels."),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, recipe: str = "", **typed: str) -> bool | str:
        return found_or_told(recipe, _by_channels(), typed)

    @classmethod
    def execute(cls, recipe: str, **typed: str) -> io.NodeOutput:
        chosen = choose_files(RECIPES[recipe], typed)
        picture_encoder = _picture_encoder(chosen)
        model, _ = _with_loras(chosen)
        say(cls, _told(RECIPES[recipe], chosen))
        return io.NodeOutput(model, _vae(chosen), _text_encoder(chosen), picture_encoder)


def _editing() -> list[str]:
    return [
        name
        for name, record in RECIPES.items()
        if record.edit_kind.is_instructed and record.edit_kind.has_module
    ]


def _by_channels() -> list[str]:
    return [name for name, record in RECIPES.items() if record.channels is not None]


def _enhancing() -> list[str]:
    return [name for name, record in RECIPES.items() if record.enhances]


def _picturing() -> list[str]:
    return [name for name, record in RECIPES.items() if record.picture is not None]


def _in_context() -> list[str]:
    return [
        name
        for name, record in RECIPES.items()
        if record.segments is not None and not record.edit_kind.has_module
    ]


def outputs_with_experts(used_by: str) -> list[io.Output]:
    """What `loaded_with_experts` gives, of which the node of that name takes the backbone."""
    return [
        io.Model.Output(tooltip=f"The backbone with the recipe's LoRAs; for {used_by}."),
        io.Vae.Output(tooltip="The Wan2.1 VAE."),
        io.Clip.Output(display_name="text encoder", tooltip="For CLIP Text Encode."),
        io.Model.Output(
            display_name="low-noise model",
            tooltip="For Guidance schedule; nothing where the recipe has one model for all steps.",
        ),
    ]


def loaded_with_experts(node: type[io.ComfyNode], recipe: str, typed: Mapping[str, str]) -> io.NodeOutput:
    """Backbone, VAE and text encoder of a recipe, and the second expert, None where it has one model for all steps.

    Raises: `BadInput` as `choose_files`.
    """
    chosen = choose_files(RECIPES[recipe], typed)
    model, _ = _with_loras(chosen)
    has_two = any(one.role == "low_noise" for one in chosen)
    second = _with_loras(chosen, "low_noise")[0] if has_two else None
    say(node, _told(RECIPES[recipe], chosen))
    return io.NodeOutput(model, _vae(chosen), _text_encoder(chosen), second)


def found_or_told(recipe: object, recipes: Sequence[str], typed: Mapping[str, str]) -> bool | str:
    """True where the recipe is one of `recipes` and all of its files are there, else a sentence that says what is not so."""
    if recipe not in recipes:
        return f"'{recipe}' is no recipe that this node loads: choose one of {', '.join(recipes)}."
    return missing_files(RECIPES[str(recipe)], typed) or True


def _with_loras(chosen: Sequence[ChosenFile], backbone: str = "backbone") -> tuple[Any, Any]:
    """That backbone and the edit module, if there is one, with every LoRA where its keys fit."""
    paths = {file.widget: file.path for file in chosen}
    model: Any = load_backbone(str(paths[backbone]), {})
    module: Any = load_edit_module(str(paths["edit_module"])) if "edit_module" in paths else None
    for file in (file for file in chosen if file.role == "lora"):
        with_it = loaded_lora(
            file.path, strengths_of(file.strength, ""), merge=False, model=model, edit_module=module
        )
        model, module = with_it.model, with_it.edit_module
    return model, module


def _vae(chosen: Sequence[ChosenFile]) -> Any:
    """As core's Load VAE loads it."""
    path = next(str(file.path) for file in chosen if file.role == "vae")
    state, metadata = comfy.utils.load_torch_file(path, return_metadata=True)
    vae = comfy.sd.VAE(sd=state, metadata=metadata)
    vae.throw_exception_if_invalid()
    return vae


def _text_encoder(chosen: Sequence[ChosenFile]) -> Any:
    """As core's Load CLIP loads it, or the demo's own."""
    encoders = [file for file in chosen if file.role in ("text_encoder", "glyph_encoder")]
    if encoders[0].is_demo:
        return load_text_encoder(encoders[0].known)
    has_glyphs = len(encoders) > 1
    return comfy.sd.load_clip(
        ckpt_paths=[str(file.path) for file in encoders],
        embedding_directory=folder_paths.folder_names_and_paths["embeddings"][0],
        clip_type=comfy.sd.CLIPType.HUNYUAN_VIDEO_15 if has_glyphs else comfy.sd.CLIPType.WAN,
    )


class BlindEncoder:
    """In the place of a picture encoder, for backbones without a branch for what it would say: a graph needs no other wires."""

    def encode_image(self, image: Tensor, crop: bool = True) -> Any:  # noqa: ARG002 -- as core calls its encoders
        """Numbers that nobody reads, one picture's for each of `image` [B, H, W, C]."""
        seen = comfy.clip_vision.Output()
        seen["penultimate_hidden_states"] = torch.zeros(len(image), 1, 1)
        return seen


def _picture_encoder(chosen: Sequence[ChosenFile]) -> Any:
    """As core's Load CLIP Vision loads it; a blind one where the recipe names none."""
    path = next((file.path for file in chosen if file.role == "clip_vision"), None)
    if path is None:
        return BlindEncoder()
    encoder = comfy.clip_vision.load(str(path))
    if encoder is None:
        raise BadInput(
            f"{path} is a CLIP vision encoder in a naming that ComfyUI does not load: get the file that the recipe names."
        )
    return encoder


def _told(record: Recipe, chosen: Sequence[ChosenFile]) -> str:
    files = "\n".join(
        f"{file.widget.replace('_', ' ')}: {file.path.name}{' (yours)' if file.is_own else ''}"
        for file in chosen
    )
    return f"{record.title}\n{files}\nLicence of the recipe's files: {record.licence}."


def recipe_inputs(recipes: list[str], *more: str, without: Sequence[str] = ()) -> list[io.Input]:
    """The inputs of a loader: the recipe, and a file for each of its parts; `more` names those that not every recipe has, `without` those that none has."""
    return [
        io.Combo.Input("recipe", options=recipes, tooltip="The method. It needs the files it names."),
        *(
            io.Combo.Input(
                widget,
                options=[OF_RECIPE, *listed(*folders)],
                default=OF_RECIPE,
                optional=True,
                advanced=True,
                tooltip=_FILE_TOOLTIP,
            )
            for widget, folders in FILE_WIDGETS.items()
            if (widget not in _NOT_EVERYWHERE or widget in more) and widget not in without
        ),
    ]
