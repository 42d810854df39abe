"""Picture and Finish picture: from any picture to what a model edits as a short film, and back."""

from dataclasses import replace
from typing import Any

import torch
from comfy_api.latest import io
from torch import Tensor

from reelpatch.clips.finish import MOST_PX
from reelpatch.clips.frames import as_video
from reelpatch.clips.mask_cover import Cover
from reelpatch.clips.references import on_white
from reelpatch.clips.worked_clip import Finishing
from reelpatch.edits.reasoning.decode import decode_film
from reelpatch.edits.reasoning.worked_picture import WorkedPicture
from reelpatch.errors import BadInput
from reelpatch.recipes import RECIPES

from .host_vae import check_vae
from .node_message import say
from .sockets import WORKED_PICTURE
from .widgets import asked_size, chosen_finish, finish_inputs, size_inputs

OF_RECIPE = -1


class Picture(io.ComfyNode):
    """All of the picture is worked on, never a part that was not asked for; Finish picture gives it back at its own size."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ReelpatchPicture",
            display_name="Picture",
            category="reelpatch/pictures",
            description=(
                "Brings a picture to a size that a recipe for pictures works on, all of it and in its own shape, and words "
                "the instruction as the recipe has it. Connect frame and sizes to WanImageToVideo, the prompt to CLIP Text "
                "Encode."
            ),
            search_aliases=["chronoedit", "edit image", "edit picture", "instruction", "upscale", "paint"],
            inputs=_picture_inputs(),
            outputs=[
                WORKED_PICTURE.Output(
                    display_name="picture", tooltip="For Reasoning in time and Finish picture."
                ),
                io.Image.Output(
                    display_name="frame",
                    tooltip="As it is worked on: start_image of WanImageToVideo, image of CLIP Vision Encode.",
                ),
                io.String.Output(
                    display_name="prompt", tooltip="What the model is to read, for CLIP Text Encode."
                ),
                io.Int.Output(display_name="width", tooltip="Pixels, for WanImageToVideo."),
                io.Int.Output(display_name="height", tooltip="Pixels, for WanImageToVideo."),
                io.Int.Output(display_name="frames", tooltip="Length of the film, for WanImageToVideo."),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def execute(
        cls,
        image: Tensor,
        recipe: str,
        instruction: str,
        reasoning_steps: int,
        width: int,
        height: int,
        crop: int,
        mask: Tensor | None = None,
        **how: Any,
    ) -> io.NodeOutput:
        record = RECIPES[recipe]
        edit = record.check_pictures()
        if reasoning_steps != OF_RECIPE:
            edit = replace(edit, reasoning_steps=reasoning_steps)
        prompt = edit.instruction(instruction)
        picture = _one_picture(image)
        worked = WorkedPicture.of(
            picture,
            None if mask is None else _mask_of(picture, mask),
            edit,
            finishing=Finishing(chosen_finish(**how), None if crop < 0 else crop),
            lattice=record.lattice,
            area=asked_size(width, height) or (record.height, record.width),
        )
        covered = "" if worked.part.mask is None else f" {Cover.of(worked.part.mask).describe()}"
        say(cls, f"{record.title}. {worked.describe()}{covered} The model reads: {prompt}")
        tall, wide = worked.fit.size
        return io.NodeOutput(worked, worked.fitted[None], prompt, wide, tall, edit.frames)


class FinishPicture(io.ComfyNode):
    """The edit is decoded right behind the picture, never behind the frames between them."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ReelpatchFinishPicture",
            display_name="Finish picture",
            category="reelpatch/pictures",
            description=(
                "Decodes the edit and gives the picture back at its own size; what its mask keeps are the picture's own "
                "pixels. The film shows the imagined way there, where it was kept to the end."
            ),
            search_aliases=["chronoedit", "decode", "restore", "paste back", "edit image"],
            inputs=[
                io.Latent.Input("samples", tooltip="What the sampler made."),
                io.Vae.Input("vae", tooltip="The VAE that WanImageToVideo had."),
                WORKED_PICTURE.Input("picture", tooltip="The picture that was edited, from Picture."),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="The edited picture; of each sample one."),
                io.Image.Output(
                    display_name="film",
                    tooltip="From the picture to its edit, as it was worked on, 8 frames a second; all samples in a row.",
                ),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def execute(cls, samples: dict[str, Any], vae: Any, picture: WorkedPicture) -> io.NodeOutput:
        latents: Tensor = samples["samples"]
        check_vae(vae)
        _check_latents(latents, picture)
        films = [_decoded(one, vae) for one in latents]
        made = [picture.finished(picture.restored(film[-1].to(picture.picture))) for film in films]
        say(cls, f"{len(made)} of {len(films[0])} frames of film each. {picture.describe()}")
        return io.NodeOutput(torch.stack(made), torch.cat(films))


def _decoded(latents: Tensor, vae: Any) -> Tensor:
    """The film [F, h, w, 3] of latents [16, T, h, w]."""

    def decode(part: Tensor) -> Tensor:
        return as_video(vae.decode(part[None])[0].clamp(0, 1))

    return (decode_film(latents, decode).movedim(0, -1) + 1) / 2


def _check_latents(latents: Tensor, picture: WorkedPicture) -> None:
    size = tuple(latents.shape[-2:])
    expected = tuple(side // 8 for side in picture.fit.size)
    if latents.ndim != 5 or latents.shape[2] < 2 or size != expected:
        raise BadInput(
            f"the latents have the shape {tuple(latents.shape)}, but this picture's are [samples, 16, 2 or more, "
            f"{expected[0]}, {expected[1]}]: connect what was sampled with width, height and frames of its Picture node."
        )


def _one_picture(image: Tensor) -> Tensor:
    if len(image) != 1:
        raise BadInput(
            f"{len(image)} pictures are connected to Picture: take one of them (Image From Batch), or edit a folder with "
            "`reelpatch picture`."
        )
    return on_white(image[0].float())


def _mask_of(picture: Tensor, mask: Tensor) -> Tensor:
    height, width, _ = picture.shape
    where = mask.reshape(-1, *mask.shape[-2:]).float()
    if tuple(where.shape) != (1, height, width):
        raise BadInput(
            f"the mask is {where.shape[2]}x{where.shape[1]} in {len(where)} images, but the picture is {width}x{height}: give "
            "one mask of the picture's size."
        )
    Cover.of(where).check_any()
    return where


def _picture_inputs() -> list[io.Input]:
    """What Picture asks for, in the order of its widgets."""
    methods = [record.name for record in RECIPES.values() if record.picture is not None]
    *finish, _match_frames = finish_inputs(optional=False)
    return [
        io.Image.Input("image", tooltip="One picture of any size; transparent parts are laid on white."),
        io.Mask.Input(
            "mask",
            optional=True,
            tooltip="Where the edit is kept (1); all else keeps the picture's own pixels. Of the picture's size.",
        ),
        io.Combo.Input(
            "recipe",
            options=methods,
            tooltip="The method: its size, its frames, and its sentence. Choose the same in Recipe.",
        ),
        io.String.Input(
            "instruction",
            multiline=True,
            default="",
            tooltip=(
                "What is to change and what stays; 80 to 100 words work best. For chronoedit-paint the thing alone, such as "
                "crown; for chronoedit-upscale empty."
            ),
        ),
        io.Int.Input(
            "reasoning_steps",
            default=OF_RECIPE,
            min=OF_RECIPE,
            max=1000,
            tooltip=(
                "For how many steps the way to the edit is imagined (29 frames) before it is dropped; 0 is not at all (5 "
                "frames), all steps keep it for the film, -1 is the recipe's."
            ),
        ),
        *size_inputs(
            "With height, how many pixels are worked on, in the picture's own shape; 0 (with height 0) is the recipe's.",
            "The same upwards. The result has the picture's size; chronoedit-upscale gives it back at this one.",
        ),
        io.Int.Input(
            "crop",
            default=-1,
            min=-1,
            max=MOST_PX,
            tooltip=(
                "Work on a box around the mask at full sharpness, with so many pixels of picture around it; -1 is all of "
                "the picture."
            ),
        ),
        *finish,
    ]
