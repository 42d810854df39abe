"""What a recipe fixes of how pictures are edited, in numbers and sentences alone."""

from dataclasses import dataclass

from reelpatch.errors import BadInput

PLAIN_FRAMES, REASONING_FRAMES = 5, 29
PAIR = 2
"""Latent frames that always stay: the picture and its edit."""
_PLACE = "{}"


@dataclass(frozen=True)
class PictureEdit:
    """How a method edits a picture as the last frame of a short film.

    `reasoning_steps` is how many steps imagine the way there before only the picture and its edit go on: 0 for none, all
    steps of a run for never. `sentence` is the method's own instruction, with `{}` where what is asked for goes in, if
    anything is asked; empty where the instruction is free. A method that `enlarges` gives pictures back as large as they are
    worked on; `is_distilled` says that its steps were trained for pictures without the way between them.
    """

    reasoning_steps: int = 0
    sentence: str = ""
    enlarges: bool = False
    is_distilled: bool = False

    @property
    def frames(self) -> int:
        """The length of the short film, in frames."""
        return REASONING_FRAMES if self.reasoning_steps else PLAIN_FRAMES

    @property
    def takes_instruction(self) -> bool:
        """Whether something has to be said of what is wanted."""
        return not self.sentence or _PLACE in self.sentence

    def instruction(self, asked: str) -> str:
        """The text that the model reads.

        Raises: `BadInput` where nothing is asked for and something has to be, and the other way round.
        """
        asked = asked.strip()
        if not self.takes_instruction:
            if asked:
                raise BadInput(
                    f"the recipe has an instruction of its own, so that '{asked[:40]}' would not be read: leave it out."
                )
            return self.sentence
        if not asked:
            wanted = (
                "name what the sketch is to become, such as 'a red hat'"
                if self.sentence
                else "say what is to change, such as 'make the circle blue'"
            )
            raise BadInput(f"the instruction is empty: {wanted}.")
        return self.sentence.replace(_PLACE, asked) if self.sentence else asked

    def check_mask(self, *, is_given: bool) -> None:
        """Raises: `BadInput` for a mask where the picture is given back larger than it was."""
        if is_given and self.enlarges:
            raise BadInput(
                "the recipe gives the picture back larger than it was, so that a mask has nothing to keep: leave it out.",
                setting="mask",
            )

    def check_steps(self, num_steps: int) -> None:
        """Raises: `BadInput` for more reasoning steps, or fewer than none, than a run of `num_steps` has."""
        if not 0 <= self.reasoning_steps <= num_steps:
            raise BadInput(
                f"{self.reasoning_steps} reasoning steps were asked for, but the run has {num_steps}: use 0 (none) to {num_steps} "
                "(they are never dropped).",
                setting="reasoning_steps",
            )

    def warning(self, num_steps: int) -> str:
        """What is known to go wrong with these settings in a run of `num_steps`, as a sentence; empty for nothing."""
        if self.is_distilled and self.reasoning_steps >= num_steps:
            return (
                "The distilled LoRA was made for pictures without frames between them: with reasoning to the end those are "
                "known to come out black or broken. Fewer reasoning steps, or the undistilled recipe, avoid that."
            )
        return ""
