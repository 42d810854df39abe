"""Clip, References and Finish clip: from any video to what the model works on, and back."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

from comfy_api.latest import Types, io
from torch import Tensor

from reelpatch.clips.references import trim_references
from reelpatch.clips.worked_clip import Taken, WorkedClip, pick_frames, stills
from reelpatch.errors import BadInput
from reelpatch.families.wan.family import WAN

from .host_vae import family_of_vae
from .incoming_clip import frames_of
from .node_message import say
from .recorded import recorded
from .sockets import REFERENCES, WORKED_CLIP
from .widgets import (
    MORE_PIXELS,
    Fit,
    asked_size,
    chosen_finish,
    chosen_fit,
    finish_inputs,
    fit_input,
    size_inputs,
)

MAX_FPS = 240.0


class Clip(io.ComfyNode):
    """Everything it does to the clip is said in words under the node, and undone by Finish clip."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ReelpatchClip",
            display_name="Clip",
            category="reelpatch",
            description=(
                "Brings a video to a size (multiples of 16 pixels) and a length (4n + 1 frames) that the model can work "
                "on, and remembers what Finish clip needs to give it back at its own size, length and sound."
            ),
            search_aliases=["edit video", "video", "resize", "length", "prepare"],
            inputs=_clip_inputs(),
            outputs=[
                WORKED_CLIP.Output(display_name="video clip", tooltip="For Apply edit and Finish clip."),
                io.Image.Output(
                    display_name="frames", tooltip="The frames as they are worked on, to look at."
                ),
                io.Int.Output(display_name="width"),
                io.Int.Output(display_name="height"),
                io.Int.Output(display_name="length"),
                io.Float.Output(display_name="fps"),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def execute(
        cls,
        fit: Fit,
        width: int,
        height: int,
        first_frame: int,
        frames: int,
        fps: float,
        video: Any = None,
        images: Tensor | None = None,
        vae: Any = None,
    ) -> io.NodeOutput:
        lattice = WAN.lattice if vae is None else family_of_vae(vae).lattice
        pictures, rate, sound = _source(video, images, fps)
        new_rate = Fraction(fps).limit_denominator(1001) if fps and video is not None else None
        picks = pick_frames(len(pictures), rate, first=first_frame, most=frames, new_fps=new_rate)
        clip = WorkedClip.of(
            pictures[picks],
            new_rate or rate,
            lattice=lattice,
            method=chosen_fit(fit),
            size=asked_size(width, height),
            sound=part_of_sound(
                sound, Fraction(first_frame) / rate, Fraction(len(picks)) / (new_rate or rate)
            ),
        )
        clip = replace(clip, taken=Taken(tuple(picks), len(pictures), rate))
        chosen = f"Of {len(pictures)} frames, {picks[0]} to {picks[-1]} are edited, and the result is those alone. "
        is_whole = picks[0] == 0 and picks[-1] == len(pictures) - 1
        say(cls, f"{'' if is_whole else chosen}{clip.plan.describe()} {float(clip.fps):g} frames per second.")
        working_height, working_width = clip.plan.size
        return io.NodeOutput(
            clip, clip.frames, working_width, working_height, clip.plan.frames, float(clip.fps)
        )


class References(io.ComfyNode):
    """Each image has a latent frame of its own: none is glued to another, none is dropped."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        images = io.Autogrow.TemplatePrefix(
            io.Image.Input("image", tooltip="One still, or a batch of stills; transparency becomes white."),
            prefix="image_",
            min=1,
            max=16,
        )
        return io.Schema(
            node_id="ReelpatchReferences",
            display_name="References",
            category="reelpatch",
            description=(
                "Still images that the edit may look at. Each is letterboxed on white to the clip's size and takes one "
                "latent frame (the time of 4 frames) in front of the clip, in the order given."
            ),
            search_aliases=["reference image", "subject"],
            inputs=[io.Autogrow.Input("images", template=images)],
            outputs=[REFERENCES.Output(display_name="references", tooltip="For Apply edit.")],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def execute(cls, images: dict[str, Tensor | None]) -> io.NodeOutput:
        references = stills([batch for batch in images.values() if batch is not None])
        say(cls, f"{len(references)} reference{'' if len(references) == 1 else 's'}, one latent frame each.")
        return io.NodeOutput(references)


class FinishClip(io.ComfyNode):
    """The last stage: nothing that was added to make the clip fit is left in the result."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ReelpatchFinishClip",
            display_name="Finish clip",
            category="reelpatch",
            description=(
                "Drops the latent frames of references, decodes, and gives the clip back at its own size, length, rate "
                "and sound. With a mask, everything outside it is the source's own pixels."
            ),
            search_aliases=["decode", "restore", "save", "mask", "paste back"],
            inputs=[
                io.Latent.Input("samples", tooltip="What the sampler made."),
                io.Vae.Input("vae", tooltip="The VAE that Apply edit had."),
                WORKED_CLIP.Input("clip", display_name="video clip", tooltip="The clip that was edited."),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip=(
                        "Where the edit is kept (1) and where the source comes back (0); of the source's size, one for "
                        "all frames or one for each. Soft edges blend."
                    ),
                ),
                *finish_inputs(),
            ],
            outputs=[
                io.Video.Output(
                    display_name="video", tooltip="With the source's rate and sound; for Save Video."
                ),
                io.Image.Output(display_name="frames", tooltip="The same frames."),
            ],
            hidden=[io.Hidden.unique_id, io.Hidden.prompt],
        )

    @classmethod
    def execute(
        cls,
        samples: dict[str, Any],
        vae: Any,
        clip: WorkedClip,
        mask: Tensor | None = None,
        **how: Any,
    ) -> io.NodeOutput:
        latents = samples["samples"]
        edited = vae.decode(trim_references(latents, clip.references_in(latents.shape[2])))
        if len(edited) > 1:
            raise BadInput(
                f"{len(edited)} clips were sampled at once: finish them one by one (Latent From Batch)."
            )
        frames = clip.finished(edited[0].clamp(0, 1), mask, chosen_finish(**how))
        components = Types.VideoComponents(images=frames, audio=clip.sound, frame_rate=clip.fps)
        return io.NodeOutput(recorded(cls, components), frames)


def _source(video: Any, images: Tensor | None, fps: float) -> tuple[Tensor, Fraction, Any]:
    if (video is None) == (images is None):
        found = "nothing" if video is None else "both a video and images"
        raise BadInput(f"{found} is connected to Clip: connect a video, or images, but not both.")
    if video is None:
        assert images is not None
        return images, Fraction(fps or 16).limit_denominator(1001), None
    given = frames_of(video)
    assert given.fps is not None
    return given.frames, given.fps, given.sound


def part_of_sound(sound: Any, begin_s: Fraction, length_s: Fraction) -> Any:
    """The sound under the chosen frames."""
    if sound is None:
        return None
    waveform, rate = sound["waveform"], sound["sample_rate"]
    first = round(begin_s * rate)
    part = waveform[..., first : first + round(length_s * rate)]
    return {**sound, "waveform": part} if part.numel() else None


def _clip_inputs() -> list[io.Input]:
    """What Clip asks for, in the order of its widgets."""
    return [
        io.Video.Input("video", optional=True, tooltip="The clip to edit; its rate and sound are kept."),
        io.Image.Input("images", optional=True, tooltip="The clip as frames, where there is no VIDEO."),
        fit_input(),
        *size_inputs(
            "Working width in pixels; 0 (with height 0) is the legal size nearest to the clip's own.",
            MORE_PIXELS,
        ),
        io.Int.Input(
            "first_frame",
            default=0,
            min=0,
            max=1_000_000,
            tooltip="The source frame to begin at, counted from 0.",
        ),
        io.Int.Input(
            "frames",
            default=0,
            min=0,
            max=100_000,
            tooltip=(
                "At most how many frames to edit; 0 is all. The last one is repeated up to the next 4n + 1, and the "
                "repeats are taken off at the end. Ditto was made for 73."
            ),
        ),
        io.Float.Input(
            "fps",
            default=0.0,
            min=0.0,
            max=MAX_FPS,
            step=0.01,
            tooltip=(
                "Frames per second to work at; 0 keeps the video's rate. Another rate takes the frames nearest "
                "in time, and the result has that rate. For images, this is their rate (16 if 0)."
            ),
        ),
        io.Vae.Input(
            "vae",
            optional=True,
            tooltip=(
                "The model's VAE, where it is not the Wan2.1 VAE: sizes then are multiples of what it asks for, 32 pixels with "
                "the Wan2.2 VAE of TI2V-5B."
            ),
        ),
    ]
