"""Which latent frames of a picture's short film go on, and where they stand in time.

The first is the picture as it was, the last the edited one; what is between them is the imagined way from one to the
other, which may be dropped in the middle of a run. Source: ChronoEdit's pipeline and transformer in diffusers.
"""

from dataclasses import dataclass

from torch import Tensor

from reelpatch.edits.reasoning.settings import PAIR

_LAST_POSITION = 7  # of the edit in time, where no frames stand between: that of a film of 8 latent frames
_TIME = -3


def rotary_positions(latent_frames: int) -> tuple[int, ...]:
    """Where latent frames stand in time: one after the other, but a pair by itself at the ends of the film it stands for."""
    return (0, _LAST_POSITION) if latent_frames == PAIR else tuple(range(latent_frames))


def first_and_last(tensor: Tensor) -> Tensor:
    """The two latent frames that stay, of latents or a condition [..., T, h, w] with T of at least 2."""
    return tensor[..., [0, -1], :, :]


def matched(condition: Tensor, latent_frames: int) -> Tensor:
    """The condition [..., T, h, w] of latents that are `latent_frames` long by now: all of it, or its first and last."""
    num_frames = condition.shape[_TIME]
    if num_frames == latent_frames:
        return condition
    if latent_frames != PAIR:
        raise ValueError(f"a condition of {num_frames} latent frames is no match for {latent_frames}")
    return first_and_last(condition)


@dataclass(frozen=True)
class Drop:
    """Drops all latent frames but the first and the last before step `step`, counted from 0: a solver's `between`.

    A step at or behind the end of the run never comes, and all frames stay.
    """

    step: int

    def __call__(self, step: int, tensor: Tensor) -> Tensor:
        return first_and_last(tensor) if step == self.step and tensor.shape[_TIME] > PAIR else tensor
