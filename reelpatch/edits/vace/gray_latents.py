"""The latents of a gray clip, encoded once: half of every context is gray where the mask has one value everywhere."""

from collections import OrderedDict
from collections.abc import Callable

from torch import Tensor

Shape = tuple[int, ...]
MOST = 4  # sizes and lengths kept; 73 frames of 832x480 take 7.6 MB in fp32


class GrayLatents:
    """What one VAE makes of gray clips, by their shape; the least recently used are dropped."""

    def __init__(self) -> None:
        self._made: OrderedDict[Shape, Tensor] = OrderedDict()

    def encoder(self, encode: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        """`encode`, called for a gray clip only when none of its shape has been; what it gives is not to be written to.

        Exact, because a VAE makes the same of the same clip. An edit of everything, which has no inactive half, and
        one of nothing take one pass through the VAE instead of two from the second clip of a size and length on.

        Shapes: video `[3, F, H, W]` in [-1, 1], in which gray is 0.
        """

        def encode_gray_once(video: Tensor) -> Tensor:
            if bool(video.any()):  # NaN counts as something
                return encode(video)
            shape = tuple(video.shape)
            if shape not in self._made:
                self._made[shape] = encode(video)
            self._made.move_to_end(shape)
            while len(self._made) > MOST:
                self._made.popitem(last=False)
            return self._made[shape]

        return encode_gray_once
