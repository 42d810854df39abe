"""Soft edges of a region: a Gaussian that reaches so far and no further, whatever fraction of a pixel that is."""

from math import ceil

import numpy as np

from reelpatch.clips.mask_track.coverage import Plane


def softened(values: Plane, reach: float) -> Plane:
    """The values blurred, exactly 0 and 1 wherever all within the reach is; the border of the frame goes on beyond it.

    Shapes: [H, W] in and out. Units: `reach` in pixels, above 0; three deviations.
    """
    steps = np.arange(-ceil(reach), ceil(reach) + 1)
    weights = np.exp(-((steps * 3 / reach) ** 2) / 2) * (np.abs(steps) < reach + 1)
    weights = (weights / weights.sum()).astype(np.float32)
    return _along(_along(values, weights, 0), weights, 1)


def _along(values: Plane, weights: Plane, axis: int) -> Plane:
    """Summed as differences, so that what is even stays exactly as it is."""
    reach, length = len(weights) // 2, values.shape[axis]
    places = np.arange(-reach, length + reach).clip(0, length - 1)
    wide = values.take(places, axis)
    result = values.copy()
    for offset, weight in enumerate(weights):
        part = wide[offset : offset + length] if axis == 0 else wide[:, offset : offset + length]
        result += weight * (part - values)
    return np.clip(result, 0, 1, out=result)
