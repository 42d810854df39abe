"""How much of the picture and of the time a mask covers: said before work, and refused where there is nothing to do."""

from dataclasses import dataclass

from torch import Tensor

from reelpatch.clips.mask_rule import AskedMask
from reelpatch.errors import BadInput

# A few dozen pixels of 832x480 are dirt; what is left of less than a two-hundredth is a frame around the picture.
_NEARLY_NOTHING = 1 / 5000
_NEARLY_ALL = 1 - 1 / 200


@dataclass(frozen=True)
class Cover:
    """What part of the picture is edited, for each frame.

    Units: `shares` 0..1; one of them alone stands for all frames of the clip.
    """

    shares: tuple[float, ...]

    @classmethod
    def of(cls, mask: Tensor) -> "Cover":
        """Of a mask [F, H, W]; all above 0 is edited."""
        return cls(tuple((mask > 0).flatten(1).float().mean(1).tolist()))

    @property
    def edited(self) -> list[int]:
        """The frames in which anything is."""
        return [index for index, share in enumerate(self.shares) if share > 0]

    def describe(self) -> str:
        """One sentence for the person whose mask it is."""
        edited = self.edited
        if not edited:
            return "The mask covers nothing in any frame."
        found = [self.shares[index] for index in edited]
        least, most, mean = min(found), max(found), sum(found) / len(found)
        part = _percent(mean) if most - least < 0.005 else f"{_percent(least)} to {_percent(most)}"
        if len(self.shares) == 1:
            return f"The mask covers {part} of the picture in every frame."
        if len(edited) == len(self.shares):
            return f"The mask covers {part} of the picture in all {len(self.shares)} frames."
        return (
            f"The mask covers {part} of the picture in {len(edited)} of {len(self.shares)} frames, "
            f"between frames {edited[0]} and {edited[-1]}, and nothing in the others."
        )

    def check_any(self) -> None:
        """Raises: BadInput for a mask that edits nothing."""
        if not self.edited:
            raise BadInput(
                "the mask is 0 everywhere, so nothing would be edited: 1 (white) marks what is.",
                setting=("mask_channel", "mask_threshold"),
            )

    def within(self, when: tuple[int, int] | None, frames: int) -> "Cover":
        """Of the first `frames`, and of those `when` = (first, last) alone."""
        if when is None:
            return Cover(self.shares[:frames])
        first, last = when
        every = self.shares * frames if len(self.shares) == 1 else self.shares[:frames]
        return Cover(tuple(share if first <= index <= last else 0.0 for index, share in enumerate(every)))

    def check(self, asked: AskedMask) -> None:
        """For a mask from a file: where its meaning was found out, it may not cover nearly nothing or nearly all.

        One that covers whole frames and leaves others out says when to edit, and is taken.
        Raises: BadInput for one that does, and as `check_any`.
        """
        self.check_any()
        if asked.is_any:
            return
        found = [self.shares[index] for index in self.edited]
        if max(found) < _NEARLY_NOTHING:
            raise BadInput(
                f"the mask covers nearly nothing, {_percent(max(found))} of the picture: paint what is edited white, or "
                "say how the mask is meant.",
                setting=("mask_channel", "mask_threshold"),
            )
        if min(found) > _NEARLY_ALL and len(found) == len(self.shares):
            raise BadInput(
                f"the mask covers nearly all, {_percent(min(found))} of the picture: leave it out to edit everything, or "
                "say how it is meant.",
                setting=("mask_channel", "mask_threshold"),
            )


def _percent(share: float) -> str:
    return f"{share:.1%}" if 0.001 <= share <= 0.999 or share in (0.0, 1.0) else f"{share:.3%}"
