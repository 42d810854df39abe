"""Clip, References and Finish clip: from any video to what the model works on, and back."""

from fractions import Fraction
from typing import Any, Literal

from comfy_api.latest import InputImpl, Types, io
from torch import Tensor

from reelpatch.clips.context import trim_references
from reelpatch.clips.finish import Blend, Finish
from reelpatch.clips.frames import Method
from reelpatch.clips.working import WorkingClip, pick_frames, stills
from reelpatch.errors import BadInput

from .given import frames_of
from .sockets import CLIP, REFERENCES
from .words import say

Fit = Method | Literal["none"]
FIT: tuple[Fit, ...] = ("pad", "crop", "stretch", "none")
MAX_SIDE_PX, MAX_FPS = 16384, 240.0


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
            search_aliases=["video", "resize", "length", "prepare"],
            inputs=_clip_inputs(),
            outputs=[
                CLIP.Output(display_name="clip", tooltip="For Apply edit and Finish clip."),
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
    ) -> io.NodeOutput:
        pictures, rate, sound = _source(video, images, fps)
        new_rate = Fraction(fps).limit_denominator(1001) if fps and video is not None else None
        picks = pick_frames(len(pictures), rate, first=first_frame, most=frames, new_fps=new_rate)
        clip = WorkingClip.of(
            pictures[picks],
            new_rate or rate,
            method=None if fit == "none" else fit,
            size=asked_size(width, height),
            sound=part_of_sound(
                sound, Fraction(first_frame) / rate, Fraction(len(picks)) / (new_rate or rate)
            ),
        )
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
            search_aliases=["decode", "restore", "save"],
            inputs=[
                io.Latent.Input("samples", tooltip="What the sampler made."),
                io.Vae.Input("vae", tooltip="The VAE that Apply edit had."),
                CLIP.Input("clip", tooltip="The clip that was edited."),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip=(
                        "Where the edit is kept (1) and where the source comes back (0); of the source's size, one for "
                        "all frames or one for each. Soft edges blend."
                    ),
                ),
                *_finish_inputs(),
            ],
            outputs=[
                io.Video.Output(
                    display_name="video", tooltip="With the source's rate and sound; for Save Video."
                ),
                io.Image.Output(display_name="frames", tooltip="The same frames."),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def execute(
        cls,
        samples: dict[str, Any],
        vae: Any,
        clip: WorkingClip,
        mask: Tensor | None = None,
        grow: int = 0,
        feather: int = 0,
        blend: Blend = "plain",
        match: Literal["none", "mean", "histogram"] = "none",
        match_frames: float = 8.0,
    ) -> io.NodeOutput:
        how = Finish(grow, feather, blend, None if match == "none" else match, match_frames)
        latents = samples["samples"]
        edited = vae.decode(trim_references(latents, clip.references_in(latents.shape[2])))
        if len(edited) > 1:
            raise BadInput(
                f"{len(edited)} clips were sampled at once: finish them one by one (Latent From Batch)."
            )
        frames = clip.finished(edited[0].clamp(0, 1), mask, how)
        components = Types.VideoComponents(images=frames, audio=clip.sound, frame_rate=clip.fps)
        return io.NodeOutput(InputImpl.VideoFromComponents(components), frames)


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


def asked_size(width: int, height: int) -> tuple[int, int] | None:
    """(height, width), or None for 0 and 0. Raises: BadInput for one without the other."""
    if bool(width) != bool(height):
        raise BadInput(
            "one of width and height is 0: give both in pixels, or 0 for both to keep the clip's size."
        )
    return (height, width) if width else None


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
        io.Combo.Input(
            "fit",
            options=list(FIT),
            default="pad",
            tooltip=(
                "pad: all of the picture, its own edges repeated around it. crop: the centre fills the frame, "
                "the rest stays as it was. stretch: all of it, out of proportion. none: refuse a clip that does "
                "not fit as it is."
            ),
        ),
        io.Int.Input(
            "width",
            default=0,
            min=0,
            max=MAX_SIDE_PX,
            step=16,
            tooltip="Working width in pixels; 0 (with height 0) is the legal size nearest to the clip's own.",
        ),
        io.Int.Input(
            "height",
            default=0,
            min=0,
            max=MAX_SIDE_PX,
            step=16,
            tooltip="Working height in pixels; more pixels need more memory and time than in proportion.",
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
    ]


def _finish_inputs() -> list[io.Input]:
    """How Finish clip fits the edit to the clip around it; prompts from before these existed go without."""
    return [
        io.Int.Input(
            "grow",
            default=0,
            min=-512,
            max=512,
            optional=True,
            tooltip="Widens the mask by so many pixels; below 0 it is narrowed.",
        ),
        io.Int.Input(
            "feather",
            default=0,
            min=0,
            max=512,
            optional=True,
            tooltip="Softens the mask's edge by so many pixels each way. Beyond that, nothing of the source changes.",
        ),
        io.Combo.Input(
            "blend",
            options=["plain", "edges"],
            default="plain",
            optional=True,
            tooltip="edges: the soft edge follows the edges of the picture; it needs a feather to lie in.",
        ),
        io.Combo.Input(
            "match",
            options=["none", "mean", "histogram"],
            default="none",
            optional=True,
            tooltip=(
                "Moves the colours of the edit to where its kept pixels have those of the source: by mean and spread, or "
                "by all of the histogram. Without a mask this also undoes changes of colour that were asked for."
            ),
        ),
        io.Float.Input(
            "match_frames",
            default=8.0,
            min=0.0,
            max=10_000.0,
            step=0.5,
            optional=True,
            tooltip="Over about how many frames the match is steadied; 0 is one match for the whole clip.",
        ),
    ]
