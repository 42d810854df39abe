"""HDR pictures as SDR ones: light above white is rolled off, and colours of BT.2020 become those of BT.709.

Sources: ITU-R BT.2100-2 (PQ and HLG, tables 4 and 5), BT.2408 (white at 203 cd/m2), BT.2390-8 section 5.4.1 (roll-off),
BT.2087 (colours), BT.1886 (the SDR screen).
"""

from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Curve = Literal["PQ", "HLG"]
CURVES: dict[int, Curve] = {16: "PQ", 18: "HLG"}  # by FFmpeg's number of the transfer function
_Floats = NDArray[np.float32]
_WHITE_NITS = 203.0
_PEAK_NITS = 1000.0  # of nearly all HDR video; what is brighter is cut
_PQ_NITS = 10_000.0
_M1, _M2, _C1, _C2, _C3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
_A, _B, _C = 0.17883277, 0.28466892, 0.55991073
_HLG_GAMMA = 1.2  # of a screen of 1000 cd/m2
_LUMINANCE_2020 = np.array([0.2627, 0.6780, 0.0593], np.float32)
_TO_709 = np.array(
    [[1.660491, -0.587641, -0.072850], [-0.124550, 1.132900, -0.008350], [-0.018151, -0.100579, 1.118730]],
    np.float32,
)
_SCREEN_GAMMA = 2.4


def to_sdr(image: NDArray[np.uint16], curve: Curve) -> NDArray[np.uint8]:
    """A picture in BT.2020 RGB of 16 bits and full range, [H, W, 3], as BT.709 RGB of 8 bits.

    The brightest channel of a pixel sets how far it is dimmed, so that its hue stays.
    """
    light = _light(curve)[image]
    if curve == "HLG":
        scene = light @ _LUMINANCE_2020
        light *= _PEAK_NITS * np.power(scene, _HLG_GAMMA - 1)[..., None]
    nits, gain = _roll_off()
    dimmed = light * np.interp(light.max(-1), nits, gain).astype(np.float32)[..., None] / _WHITE_NITS
    shown = np.power((dimmed @ _TO_709.T).clip(0, 1), 1 / _SCREEN_GAMMA)
    return (shown * 255).round().astype(np.uint8)


@cache
def _light(curve: Curve) -> _Floats:
    """By code value, [65536]: cd/m2 for PQ, light of the scene in [0, 1] for HLG."""
    code = np.arange(65536) / 65535
    if curve == "PQ":
        return _from_pq(code).astype(np.float32)
    high = (np.exp((np.maximum(code, 0.5) - _C) / _A) + _B) / 12
    return np.where(code <= 0.5, code**2 / 3, high).astype(np.float32)


@cache
def _roll_off() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """By cd/m2: by how much light is dimmed for SDR white to be the brightest there is."""
    codes = np.linspace(0, 1, 4096)
    nits = _from_pq(codes)
    peak, white = _to_pq(np.array([_PEAK_NITS, _WHITE_NITS]))
    most = white / peak
    knee = 1.5 * most - 0.5
    level = (codes / peak).clip(0, 1)
    t = ((level - knee) / (1 - knee)).clip(0, 1)
    bent = (
        (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (-2 * t**3 + 3 * t**2) * most
    )
    target = _from_pq(np.where(level < knee, level, bent) * peak)
    return nits, np.divide(target, nits, out=np.ones_like(nits), where=nits > 0)


def _from_pq(code: NDArray[np.float64]) -> NDArray[np.float64]:
    power = np.power(code, 1 / _M2)
    return _PQ_NITS * np.power(np.maximum(power - _C1, 0) / (_C2 - _C3 * power), 1 / _M1)


def _to_pq(nits: NDArray[np.float64]) -> NDArray[np.float64]:
    power = np.power(nits / _PQ_NITS, _M1)
    return np.power((_C1 + _C2 * power) / (1 + _C3 * power), _M2)
