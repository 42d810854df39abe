"""How an in-context method lays out its sequence, and what it makes of an instruction: names and numbers alone."""

import re
from dataclasses import dataclass

from reelpatch.errors import BadInput

# What a change is named by, and what it goes on to; the object is what stands between.
_OBJECT = re.compile(
    r"\b(?:replace|swap|substitute|remove|delete|erase|get rid of|turn|change|make|recolou?r|paint)\s+(?:out\s+)?"
    r"(?P<object>(?:the|a|an|his|her|their|its|all|every|both)\s+.+?|\w+)"
    r"(?=\s+(?:with|for|into|to|from|by|in|so|look|red|green|blue|yellow|black|white|bigger|smaller|larger|darker|brighter)\b"
    r"|[.,;!?]|$)",
    re.IGNORECASE,
)
_NO_OBJECT = frozenset({"it", "this", "that", "them", "everything"})
TARGET_AREA = "the target area"
"""What VideoCoF's prompt names where the instruction names no object, as when something is added."""


@dataclass(frozen=True)
class SegmentLayout:
    """The source clip beside the clip that is made, as its method was trained.

    With `is_numbered`, source and references are told apart by numbers, as Bernini-R's streams are. References have at most
    `reference_px` a side; without, there are none. `grounding` latent frames, that show what will be changed, are made in
    front of the clip; the source's places in time begin after them. `is_before` puts the source's tokens first. There may be
    `most_references`, where there may be any. Without `sees_clip` there is no source: the clip is made from references alone.
    `prompt` is the text that the model reads, with `{instruction}`, `{words}` (the same without a full stop at its end)
    and `{object}` filled in, and `reference_prompt` that of an edit with references, where it is another.
    """

    is_numbered: bool = False
    reference_px: int | None = None
    grounding: int = 0
    is_before: bool = False
    prompt: str = "{instruction}"
    reference_prompt: str = ""
    most_references: int = 16
    sees_clip: bool = True

    @property
    def least_references(self) -> int:
        """How many there have to be."""
        return 0 if self.sees_clip else 1

    def check_references(self, count: int, *, setting: str = "reference") -> None:
        """Raises: `BadInput` for more references than the method takes, and for none where a clip is made from them alone."""
        if count < self.least_references:
            raise BadInput(
                f"no references were given, but this method makes a clip from them alone: give 1 to {self.most_references}.",
                setting=setting,
            )
        if count and self.reference_px is None:
            raise BadInput(
                f"{count} references were given, but this method takes none: leave them out, or use bernini-r-1.3b.",
                setting=setting,
            )
        if count > self.most_references:
            raise BadInput(
                f"{count} references were given, but this method looks at {self.most_references} at most: leave the others out.",
                setting=setting,
            )

    def prompt_for(self, instruction: str, *, references: int = 0) -> str:
        """The text that the model reads, where so many references are given."""
        instruction = instruction.strip()
        words = instruction.rstrip(".")
        prompt = self.reference_prompt if references and self.reference_prompt else self.prompt
        return prompt.format(instruction=instruction, words=words, object=object_of(words) or TARGET_AREA)

    def told_of(self, instruction: str) -> str:
        """What is to be said of how the instruction was read; empty where it is taken as it is."""
        if "{object}" not in self.prompt:
            return ""
        found = object_of(instruction)
        if found is None:
            return f"The instruction names no object that is there already, so that the prompt says '{TARGET_AREA}'."
        return f"What is to be changed was read as '{found}'."


def object_of(instruction: str) -> str | None:
    """What an instruction changes, as it names it: `the lamp` of "remove the lamp"; None where it names nothing."""
    found = _OBJECT.search(instruction)
    if found is None or found["object"].lower() in _NO_OBJECT:
        return None
    return found["object"]
