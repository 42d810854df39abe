"""What the nodes for videos of any length ask for."""

from comfy_api.latest import io

from .enhance import enhancer_links, enhancer_widgets
from .sockets import GUIDANCE, REFERENCES
from .widgets import (
    MORE_PIXELS,
    finish_inputs,
    fit_input,
    half_size_steps_input,
    mask_inputs,
    size_inputs,
    skip_hints_input,
    times_in_result_input,
)

MAX_SEED = 2**63 - 1


def long_edit_inputs() -> list[io.Input]:
    """What Edit long clip asks for, in the order of its widgets."""
    return [
        *_edit_links(),
        *_window_inputs(),
        fit_input(),
        *_sizes(),
        *_edit_inputs(),
        *finish_inputs(optional=False),
        *_name_and_seed("reelpatch/long_clip"),
        _accept_damage(),
        *mask_inputs(),
        skip_hints_input(),
        *_first_frame(),
        times_in_result_input(),
        _lossless(),
        half_size_steps_input(),
    ]


def long_enhance_inputs() -> list[io.Input]:
    """What Enhance long clip asks for, in the order of its widgets."""
    return [
        *enhancer_links(),
        _video(),
        *enhancer_widgets(),
        *_window_inputs(),
        fit_input(),
        *_sizes(),
        *_name_and_seed("reelpatch/long_clip_enhanced"),
        _accept_damage(),
        _lossless(),
    ]


def _video() -> io.Input:
    return io.Video.Input(
        "video", tooltip="From Load Video: a file, whose frames are read as they are needed. Any length."
    )


def _accept_damage() -> io.Input:
    return io.Boolean.Input(
        "accept_damage",
        default=False,
        optional=True,
        advanced=True,
        tooltip="Work on a damaged video too, its hurt frames as they decode; otherwise it is refused, with how many there are.",
    )


def _lossless() -> io.Input:
    return io.Boolean.Input(
        "lossless",
        default=False,
        optional=True,
        advanced=True,
        tooltip="Keep every pixel as it was made (H.264 in RGB, a larger mp4 that browsers do not play); Save Video copies it.",
    )


def _first_frame() -> list[io.Input]:
    return [
        io.Image.Input(
            "edited_frame",
            optional=True,
            tooltip=(
                "Frame 0 of the video (or at_frame) as it is to become, edited as a picture: it is kept, and the rest of the video "
                "follows it. Of the video's shape."
            ),
        ),
        io.Int.Input(
            "held_frames",
            default=1,
            min=1,
            max=81,
            optional=True,
            advanced=True,
            tooltip="For how many frames the model is shown the edited frame, from Recipe; those in front are cut off again.",
        ),
        io.Int.Input(
            "at_frame",
            default=0,
            min=0,
            max=1_000_000,
            optional=True,
            advanced=True,
            tooltip="Which frame of the video edited_frame is, counted from 0. Windows that end before it do not see it.",
        ),
    ]


def _sizes() -> list[io.Input]:
    return size_inputs(
        "Working width in pixels; 0 (with height 0) is the legal size nearest to the clip's own.", MORE_PIXELS
    )


def _name_and_seed(prefix: str) -> list[io.Input]:
    return [
        io.String.Input(
            "filename_prefix",
            default=prefix,
            tooltip="Where in the output folder the result goes; a number is added where another run has that name.",
        ),
        io.Int.Input(
            "seed",
            default=0,
            min=0,
            max=MAX_SEED,
            tooltip="Every latent frame of the clip has its own noise, drawn from this.",
        ),
    ]


def _edit_links() -> list[io.Input]:
    return [
        io.Model.Input("model", tooltip="A Wan text-to-video MODEL, LoRAs included; without Apply edit."),
        io.ModelPatch.Input("edit_module", tooltip="From Load edit module; as wide as the backbone."),
        io.Vae.Input("vae", tooltip="The Wan2.1 VAE (16 channels)."),
        io.Conditioning.Input("positive", tooltip="The instruction."),
        io.Conditioning.Input("negative", optional=True, tooltip="Needed where there is guidance."),
        io.Sampler.Input("sampler", tooltip="From Recipe."),
        io.Sigmas.Input("sigmas", tooltip="From Recipe."),
        GUIDANCE.Input("guidance", optional=True, tooltip="From Recipe; without it, guidance is 1."),
        _video(),
        io.MultiType.Input(
            "mask",
            [io.Mask, io.Video],
            optional=True,
            tooltip=(
                "Where and when to edit (white) and what to keep (black): one image, or a video of the clip's size and "
                "length. Outside it, the source's pixels stay."
            ),
        ),
        REFERENCES.Input("references", optional=True, tooltip="From References."),
    ]


def _window_inputs() -> list[io.Input]:
    return [
        io.Int.Input(
            "window_frames",
            default=81,
            min=5,
            max=1001,
            step=4,
            tooltip="Frames worked on at once (4n + 1): what the method was made for, see Recipe's frames. Decides the memory.",
        ),
        io.Int.Input(
            "overlap",
            default=0,
            min=0,
            max=997,
            tooltip="Frames that windows share (4n + 1); 0 is about a quarter. More makes joins steadier and costs time.",
        ),
    ]


def _edit_inputs() -> list[io.Input]:
    return [
        io.Float.Input(
            "strength",
            default=1.0,
            min=0.0,
            max=10.0,
            step=0.005,
            tooltip="How strongly the edit speaks. Ditto uses 0.975, VACE 1.",
        ),
        *(
            io.Float.Input(
                name,
                default=default,
                min=0.0,
                max=1.0,
                step=0.01,
                advanced=True,
                tooltip=f"{word} which part of the sampler's steps the edit acts.",
            )
            for name, default, word in (("start", 0.0, "From"), ("end", 1.0, "Until"))
        ),
    ]
