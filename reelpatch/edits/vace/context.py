"""The VACE context: clip, mask and references as the 96 channels an edit module reads.

Channels: 0-15 what is kept (inactive), 16-31 what is to be edited (reactive), 32-95 the folded mask.
Frames: one latent frame for each reference, then those of the clip.
"""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from reelpatch.clips.frames import as_video, check_clip
from reelpatch.clips.masks import check_mask
from reelpatch.clips.references import check_reference, letterbox
from reelpatch.errors import BadInput
from reelpatch.families.wan.family import WAN

# video [3, F, H, W] in [-1, 1] -> normalised latents [16, T, H/8, W/8]
Encode = Callable[[Tensor], Tensor]
EDITED_ABOVE = 0.5  # a mask value above this is edited; diffusers and the official code agree
GRAY = 0.5  # 0 in the VAE's [-1, 1]: what stands for "nothing here"
CELL_PX = WAN.lattice.cell_px
REFERENCE_BLANKS = WAN.lattice.channels + CELL_PX**2  # reactive and mask channels of a reference are zero


def build_context(
    clip: Tensor | None,
    mask: Tensor | None,
    references: Sequence[Tensor],
    encode: Encode,
    *,
    frames: int,
    height: int,
    width: int,
) -> Tensor:
    """The context of an edit as published: hard edges for the pixels, the soft mask in its own channels.

    No clip means that everything is made up (gray clip, full mask); no mask means that everything is edited.
    The references come first, in the order given.

    Shapes: clip [F, H, W, 3] and mask [F, H, W] in [0, 1], at the working size; references of any size
        [h, w, 1 | 3 | 4]; result [96, references + T, H/8, W/8].
    Raises: BadInput for a length or size that is not legal, and for anything that does not fit it.
    Source: Wan-Video VACE, `vace_encode_frames`, `vace_encode_masks`, `vace_latent`.
    Cost: two VAE passes over the clip, one over each reference; `GrayLatents` saves one where half of it is gray.
    """
    clip, mask = _completed(clip, mask, references, (frames, height, width))
    return _assembled(clip, mask, (mask > EDITED_ABOVE).float(), references, encode)


def build_soft_context(
    clip: Tensor | None,
    mask: Tensor | None,
    references: Sequence[Tensor],
    encode: Encode,
    *,
    frames: int,
    height: int,
    width: int,
) -> Tensor:
    """As `build_context`, but soft mask edges fade the pixels to gray too: ComfyUI's own WanVaceToVideo."""
    clip, mask = _completed(clip, mask, references, (frames, height, width))
    return _assembled(clip, mask, mask, references, encode)


def _completed(
    clip: Tensor | None, mask: Tensor | None, references: Sequence[Tensor], shape: tuple[int, int, int]
) -> tuple[Tensor, Tensor]:
    """Clip and mask, made up where absent; everything is checked before the VAE spends time on it."""
    frames, height, width = shape
    WAN.lattice.latent_shape(frames, (height, width))  # refuses what is not legal
    for number, image in enumerate(references, 1):
        check_reference(image, number)
    if clip is None:
        if mask is not None:
            raise BadInput("a mask was given without a clip: give the clip it belongs to, or leave it out.")
        return torch.full((*shape, 3), GRAY), torch.ones(shape)
    check_clip(clip)
    if clip.shape[:3] != shape:
        raise BadInput(
            f"the clip has {clip.shape[0]} frames of {clip.shape[2]}x{clip.shape[1]} but the context is for "
            f"{frames} frames of {width}x{height}: fit the clip first.",
            setting="fit",
        )
    if mask is None:
        return clip.float(), torch.ones(shape, device=clip.device)
    check_mask(mask, *shape)
    return clip.float(), mask.float().to(clip.device)


def _assembled(
    clip: Tensor, mask: Tensor, edited: Tensor, references: Sequence[Tensor], encode: Encode
) -> Tensor:
    video = as_video(clip)
    inactive, reactive = encode(video * (1 - edited)), encode(video * edited)
    context = torch.cat([inactive, reactive, fold_mask(mask).to(inactive)])
    stills = [as_video(letterbox(image, *clip.shape[1:3])[None]).to(video) for image in references]
    prefix = [F.pad(encode(still), (0, 0, 0, 0, 0, 0, 0, REFERENCE_BLANKS)) for still in stills]
    return torch.cat([*prefix, context], dim=1)


def fold_mask(mask: Tensor) -> Tensor:
    """The 64 mask channels of a VACE context: every pixel of an 8x8 cell becomes a channel of its own.

    Shapes: [F, H, W] -> [64, T, H/8, W/8]; channel = 8 * row in the cell + column in the cell.
    In time each latent frame takes the one pixel frame that nearest-exact resampling picks; values stay soft.
    Source: Wan-Video VACE, `vace_encode_masks`.
    """
    picked = mask[list(WAN.lattice.mask_frame_picks(mask.shape[0]))]
    return rearrange(picked, "t (h r) (w c) -> (r c) t h w", r=CELL_PX, c=CELL_PX)
