"""The kinds of weight files: the words for each, the ComfyUI models folder where it belongs, what it goes with."""

from enum import Enum


class FileKind(Enum):
    """What a file holds: words for it, the models folder where it belongs, and what it goes with.

    A family that is not Wan's brings members of its own, in a class of its own.
    """

    def __init__(self, words: str, folder: str, works_with: str) -> None:
        self.words = words
        self.folder = folder
        self.works_with = works_with


class Kind(FileKind):
    """The kinds that are known here. Files of one kind are loaded the same way; `KnownFile.variant` tells them apart."""

    BACKBONE = (
        "a Wan text-to-video backbone",
        "diffusion_models",
        "every recipe, with an edit module of its size beside it",
    )
    VACE = (
        "a Wan backbone with its VACE edit module merged in",
        "diffusion_models",
        "every recipe, as backbone, as edit module or as both",
    )
    EDIT_MODULE = (
        "a VACE edit module",
        "diffusion_models",
        "a text-to-video backbone of the same width; alone it makes no video",
    )
    EDIT_ADAPTER = (
        "an edit adapter",
        "diffusion_models",
        "the backbone of its width and channels that it was trained on; alone it makes no video",
    )
    IMAGE_BACKBONE = (
        "a Wan backbone for image-to-video",
        "diffusion_models",
        "recipes that edit pictures, where it is ChronoEdit, and image-to-video workflows; edit modules need a text-to-video one",
    )
    WIDE_BACKBONE = (
        "a Wan2.2 backbone for the 48-channel VAE",
        "diffusion_models",
        "the Wan2.2 VAE, and edit adapters of its width; VACE modules are made for backbones of 16 channels",
    )
    OTHER_BACKBONE = (
        "a Wan backbone made for another task",
        "diffusion_models",
        "workflows made for it; edit modules need a text-to-video backbone",
    )
    PART = (
        "one part of a Wan model that is cut into several files",
        "diffusion_models",
        "nothing alone: get the model as one file, or join the parts",
    )
    LORA = ("a LoRA", "loras", "the model whose layers it names")
    VAE21 = ("a Wan2.1 VAE", "vae", "Wan2.1 and Wan2.2 A14B backbones, and every recipe")
    VAE22 = ("a Wan2.2 VAE of 48 channels", "vae", "Wan2.2 TI2V-5B alone; A14B uses the Wan2.1 VAE")
    TINY_VAE = ("a tiny VAE for previews (TAE)", "vae_approx", "previews; recipes need the Wan2.1 VAE")
    OTHER_VAE = ("a VAE of other models", "vae", "models made with it; recipes need the Wan2.1 VAE")
    UMT5 = ("a UMT5 text encoder", "text_encoders", "all Wan models")
    OTHER_TEXT_ENCODER = (
        "a text encoder of other models",
        "text_encoders",
        "models made with it; Wan needs UMT5",
    )
    CLIP_VISION = ("a CLIP vision encoder", "clip_vision", "image-to-video models")
    HUNYUAN_VIDEO = (
        "a HunyuanVideo transformer",
        "diffusion_models",
        "HunyuanVideo workflows; it is neither Wan nor HunyuanVideo-1.5",
    )
    OTHER_MODEL = ("a model of another family", "", "workflows made for it; it is no Wan model")
    UNKNOWN = ("something that no loader here knows", "", "nothing here")
