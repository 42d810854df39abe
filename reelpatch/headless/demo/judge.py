"""Whether an edit of a demo scene was done: one plain rule for each kind; a copy passes none, a blur no style.

Every rule looks at the edited frames and pixels alone (mask above one half). Thresholds were set before any
trained result was seen.
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from reelpatch.headless.demo import scenes
from reelpatch.headless.demo.scenes import Example, Frames

MAX_HUE_ERROR_DEG = 20.0
MIN_REMOVED_DB, MIN_GAIN_DB = 18.0, 6.0
MIN_BACKGROUND_DB = 18.0
MIN_REST_DB = 20.0  # what is not asked for stays recognisably as it was
MIN_STYLE_DB = 22.0
MIN_DETAIL = 0.5  # share of the truth's edges that a style must keep; a Gaussian blur of 1 px keeps 0.31
DETAIL_FLOOR = 1e-5  # mean square of edges below which a picture has none to judge by


@dataclass(frozen=True)
class Verdict:
    """Hit or miss; the hue error, in degrees, for recolouring."""

    hit: bool
    hue_error_deg: float | None = None


def judge(example: Example, result: Frames) -> Verdict:
    """The verdict on `result` `[F, H, W, 3]` in [0, 1]."""
    edited = example.mask > 0.5
    if example.kind == "recolour":
        return _recoloured(example, result, edited)
    if example.kind == "remove":
        return Verdict(_removed(example, result, edited))
    if example.kind == "background":
        return Verdict(_background(example, result, edited))
    return Verdict(_styled(example, result, edited))


def psnr_db(result: Frames, truth: Frames, where: NDArray[np.bool_]) -> float:
    """PSNR in dB over the pixels chosen by `where` `[F, H, W]`."""
    return float(-10 * np.log10(np.square(result[where] - truth[where]).mean() + 1e-10))


def _rest_is_kept(example: Example, result: Frames, edited: NDArray[np.bool_]) -> bool:
    rest = edited & (scenes.dilate(example.region, 4) < 0.5)
    return not rest.any() or psnr_db(result, example.source, rest) >= MIN_REST_DB


def _recoloured(example: Example, result: Frames, edited: NDArray[np.bool_]) -> Verdict:
    inside = (example.region > 0.99) & edited
    colour = result[inside].mean(axis=0)
    nearest = min(scenes.HUES, key=lambda name: float(np.square(colour - scenes.rgb(name)).sum()))
    hue_deg = 360 * colorsys.rgb_to_hsv(*(float(v) for v in colour))[0]
    error_deg = abs((hue_deg - scenes.HUES[example.value] + 180) % 360 - 180)
    hit = (
        nearest == example.value and error_deg < MAX_HUE_ERROR_DEG and _rest_is_kept(example, result, edited)
    )
    return Verdict(hit, error_deg)


def _removed(example: Example, result: Frames, edited: NDArray[np.bool_]) -> bool:
    region = (example.region > 0.5) & edited
    floor_db = max(MIN_REMOVED_DB, psnr_db(example.source, example.target, region) + MIN_GAIN_DB)
    return psnr_db(result, example.target, region) > floor_db and _rest_is_kept(example, result, edited)


def _background(example: Example, result: Frames, edited: NDArray[np.bool_]) -> bool:
    truth = scenes.paint_background(example.value)[: len(example.target)]
    is_background = np.abs(example.target - truth).max(axis=-1) < 1e-3
    where = is_background & edited
    looks = {name: scenes.paint_background(name)[: len(truth)] for name in scenes.BACKGROUNDS}
    best = max(looks, key=lambda name: psnr_db(result, looks[name], where))
    return best == example.value and psnr_db(result, truth, where) > MIN_BACKGROUND_DB


def _styled(example: Example, result: Frames, edited: NDArray[np.bool_]) -> bool:
    looks = {"source": example.source} | {
        style: scenes.apply_style(example.source, style) for style in scenes.STYLES
    }
    nearest = max(looks, key=lambda name: psnr_db(result, looks[name], edited))
    truth = looks[example.value]
    kept = kept_edges(result, truth, edited)
    is_sharp = kept is None or kept > MIN_DETAIL
    return nearest == example.value and is_sharp and psnr_db(result, truth, edited) > MIN_STYLE_DB


def kept_edges(result: Frames, truth: Frames, where: NDArray[np.bool_]) -> float | None:
    """How much of the truth's edges a result has, 1 for all of them; None where the truth has none to judge by.

    Shapes: result, truth `[F, H, W, 3]`; where `[F, H, W]`.
    """
    edges = _detail(truth)[where]
    energy = float(np.square(edges).mean())
    return None if energy < DETAIL_FLOOR else float((_detail(result)[where] * edges).mean()) / energy


def _detail(clip: Frames) -> Frames:
    """What a Gaussian of one pixel takes away from every frame: edges."""
    return np.stack([frame - cv2.GaussianBlur(frame, (0, 0), 1.0) for frame in clip])
