"""Reference images: stills the edit may look at, each letterboxed on white to the size of the clip."""

import torch
import torch.nn.functional as F
from torch import Tensor

from reelpatch.clips.frames import is_in_unit_range
from reelpatch.errors import BadInput

WHITE = 1.0
_CHANNELS = (1, 3, 4)  # gray, RGB, RGB with alpha


def letterbox(image: Tensor, height: int, width: int) -> Tensor:
    """The whole image, as large as fits, centred on a white canvas; transparent parts become white.

    The arithmetic is that of the published pipelines: sizes are rounded down in floating point (a side may
    miss one pixel), scaling is bilinear without antialiasing, an odd remainder goes to the bottom or right.

    Shapes: image [h, w, 1 | 3 | 4] in [0, 1]; result [height, width, 3] float32 in [0, 1].
    Source: Wan-Video VACE, `prepare_source`; diffusers, `WanVACEPipeline.preprocess_conditions`.
    """
    picture = on_white(image.float()).permute(2, 0, 1)
    image_height, image_width = picture.shape[1:]
    if (image_height, image_width) != (height, width):
        scale = min(height / image_height, width / image_width)
        size = (max(1, int(image_height * scale)), max(1, int(image_width * scale)))
        picture = F.interpolate(picture[None], size=size, mode="bilinear", align_corners=False)[0]
    scaled_height, scaled_width = picture.shape[1:]
    top, left = (height - scaled_height) // 2, (width - scaled_width) // 2
    canvas = picture.new_full((3, height, width), WHITE)
    canvas[:, top : top + scaled_height, left : left + scaled_width] = picture
    return canvas.permute(1, 2, 0)


def trim_references(latents: Tensor, references: int) -> Tensor:
    """Latents without the leading frames of the references: what is left to decode.

    Shapes: [..., references + T, h, w] -> [..., T, h, w].
    """
    return latents[..., references:, :, :]


def check_reference(image: Tensor, number: int) -> None:
    """Refuse what cannot be a reference.

    Raises: BadInput naming the reference by its place in the list, counted from 1.
    """
    shape = tuple(image.shape)
    if image.ndim != 3 or image.numel() == 0 or shape[2] not in _CHANNELS:
        raise BadInput(
            f"reference {number} has shape {shape}, but a reference is one image "
            "[height, width, channels] with 1, 3 or 4 channels: pass one still image for each reference."
        )
    if not is_in_unit_range(image):
        raise BadInput(
            f"reference {number} has values outside 0..1 or NaN: pass floats from 0 (black) to 1 (white)."
        )


def on_white(image: Tensor) -> Tensor:
    """[h, w, 3]; alpha, when there is one, is resolved before scaling so that no hidden colour bleeds in."""
    if image.shape[2] == 4:
        colour, alpha = image[..., :3], image[..., 3:]
        return torch.lerp(torch.full_like(colour, WHITE), colour, alpha)
    return image.expand(-1, -1, 3)
