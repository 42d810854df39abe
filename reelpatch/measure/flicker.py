"""Flicker: what changes from frame to frame beyond the motion of the picture."""

import torch
import torch.nn.functional as F
from torch import Tensor

# Of Sundaram et al.: how far motion there and back may miss its start, in parts of the motion and in pixels.
_SLACK, _SLACK_PX2 = 0.01, 0.5


def warp(image: Tensor, flow: Tensor) -> Tensor:
    """The image fetched from where the flow points, bilinearly; beyond its border, the border's pixels.

    Shapes: image, result [H, W, C]; flow [H, W, 2] as (right, down) in pixels.
    """
    height, width = image.shape[:2]
    to_unit = torch.tensor([2 / max(width - 1, 1), 2 / max(height - 1, 1)], dtype=flow.dtype)
    points = _landing(flow) * to_unit.to(flow.device) - 1
    fetched = F.grid_sample(
        image.permute(2, 0, 1)[None], points[None], padding_mode="border", align_corners=True
    )
    return fetched[0].permute(1, 2, 0)


def visible(forward: Tensor, backward: Tensor) -> Tensor:
    """The pixels of a frame that the next frame shows as well: motion there and back ends where it began.

    Shapes: forward (to the next frame) and backward (from it) [H, W, 2] in pixels; result bool [H, W].
    Source: Sundaram, Brox, Keutzer, "Dense point trajectories by GPU-accelerated large displacement optical flow",
    ECCV 2010, eq. 5; used so by Lai et al. (see `warp_error`).
    """
    back = warp(backward, forward)
    missed = (forward + back).square().sum(-1)
    travelled = forward.square().sum(-1) + back.square().sum(-1)
    height, width = forward.shape[:2]
    landing = _landing(forward)
    most = torch.tensor([width - 1, height - 1], dtype=forward.dtype, device=forward.device)
    is_inside = ((landing >= 0) & (landing <= most)).all(-1)
    return is_inside & (missed <= _SLACK * travelled + _SLACK_PX2)


def warp_error(
    frame: Tensor, following: Tensor, forward: Tensor, backward: Tensor, where: Tensor | None = None
) -> float | None:
    """The root mean square difference of a frame to the next one moved back onto it, over pixels that both show.

    Values in [0, 1]; None where no pixel is shown in both.

    Shapes: frame, following [H, W, 3]; flows as in `visible`; where [H, W] bool or 0/1 narrows it down.
    Source: Lai et al., "Learning blind video temporal consistency", ECCV 2018, section 4.2, whose measure is the square.
    Theirs follows the source's motion; here every clip is followed along its own, because an edit may change it.
    """
    counted = visible(forward, backward)
    if where is not None:
        counted = counted & where.bool()
    squares = (frame - warp(following, forward)).square().mean(-1)[counted]
    return float(squares.double().mean().sqrt()) if squares.numel() else None


def _landing(flow: Tensor) -> Tensor:
    """Where each pixel goes, [H, W, 2] as (column, row)."""
    height, width = flow.shape[:2]
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return flow + torch.stack([columns, rows], dim=-1).to(flow)
