"""How an instruction is best said to each method, as data; and what a language model is told to rewrite it so."""

from __future__ import annotations

from dataclasses import dataclass

from reelpatch.errors import BadInput
from reelpatch.recipes.record import Recipe

# What a language model is shown of a clip or a picture, and how much it may answer.
MOST_FRAMES, LONGER_PX, MOST_TOKENS = 4, 1024, 512


@dataclass(frozen=True)
class Aim:
    """What the text of an instruction should be like for the models that read it.

    `form` says it to a language model, with an `example` (what a person said, what it becomes). `plain` is what can be made
    of an instruction without one; `starts` is what every rewritten text begins with. Units: `words` (fewest, most).
    """

    form: str
    words: tuple[int, int]
    example: tuple[str, str]
    starts: str = ""
    plain: str = "{instruction}"


AIMS: dict[str, Aim] = {
    "reasoning": Aim(
        form=(
            "Say what the person wants, beginning with 'The user wants to'. Name what is changed, where it is, and how it "
            "looks and is posed afterwards, in the style and the light of the picture. Then name what has to stay as it is: of "
            "people their face, hair, clothes, age and pose; of the rest the background, the layout and the camera. Where a "
            "figure is put into a new scene, say that the whole background is replaced and that the figure stays the same."
        ),
        words=(80, 100),
        example=(
            "put the cup on the window sill",
            "The user wants to move the white cup from the wooden table to the sill of the window behind it. The cup keeps its "
            "size, its glaze and its small chip, stands upright in the middle of the sill, and is lit from behind by the "
            "afternoon sun, so that its short shadow falls into the room. The table is empty where the cup stood, with the "
            "grain of the wood going on unbroken. The curtains, the chair, the colours of the room, the angle of the camera "
            "and the photographic style all stay exactly as they are.",
        ),
        starts="The user wants to",
        plain=(
            "The user wants to {bare}. Everything that is not named stays exactly as it is: the people with their faces, hair, "
            "clothes and poses, the background, the layout, the light, the colours, the angle of the camera and the style of the "
            "picture. What is changed fits in with its surroundings in size, perspective, shadow and focus."
        ),
    ),
    "caption": Aim(
        form=(
            "Do not give an order. Describe the finished clip, after the change, as if nobody had ever changed it: its subject, "
            "what it does, the surroundings, the light, the style and the movement of the camera. Name nothing that was taken "
            "away, and do not say that anything was changed."
        ),
        words=(30, 80),
        example=(
            "make the dog brown",
            "A brown short-haired dog runs along a wide sandy beach towards the camera, its ears flying. Low waves break behind "
            "it, and the sun stands low, so that the wet sand shines. The camera moves backwards in front of the dog. "
            "Realistic style, natural colours.",
        ),
    ),
    "ditto": Aim(
        form=(
            "Give one order in the imperative, for the whole picture or for one thing in it. Name a style by its usual "
            "name ('Make it a Claymation video.'), and the thing by what can be seen of it. Describe nothing else."
        ),
        words=(4, 25),
        example=("lego", "Make it a LEGO brick animation video."),
    ),
    "order": Aim(
        form=(
            "Give one or two short orders in the imperative. Name the thing that is changed by what can be seen of it and where "
            "it is, say how it looks afterwards, and name what next to it has to stay as it is."
        ),
        words=(6, 50),
        example=(
            "car red",
            "Turn the silver car on the left of the street bright red; its shape, its windows and the street stay as they are.",
        ),
    ),
    "object": Aim(
        form=(
            "Give one order in the imperative that begins with Remove, Add, Replace or Change, and goes on with the one thing "
            "that it is about, by what can be seen of it and where it is."
        ),
        words=(4, 25),
        example=("no lamp please", "Remove the brass lamp on the left of the table."),
    ),
    "demo": Aim(
        form=(
            "The model knows a circle, a square and a triangle, in red, yellow, green, cyan, blue or pink, and reads these "
            "sentences alone: 'make the red circle blue', 'remove the green square', 'change the background to ' with a sunset, a "
            "night sky, grass, the ocean or a desert, 'make it sepia', 'make it grayscale', 'invert the colours'. Choose the one "
            "that is nearest, with another shape or colour where needed, and write it in small letters without a full stop."
        ),
        words=(2, 8),
        example=("the ball should be green", "make the circle green"),
    ),
}


@dataclass(frozen=True)
class Chat:
    """What a language model is asked: the rules, and what a person said, beside `num_pictures` pictures."""

    system: str
    user: str
    num_pictures: int

    @property
    def as_one(self) -> str:
        """Rules and request in one text, for models that are not given rules of their own."""
        return f"{self.system}\n\n{self.user}"

    @property
    def as_qwen(self) -> str:
        """The turns as models of the Qwen family read them, up to their answer, which they are to give without thinking aloud."""
        pictures = "<|vision_start|><|image_pad|><|vision_end|>" * self.num_pictures
        return (
            f"<|im_start|>system\n{self.system}<|im_end|>\n<|im_start|>user\n{pictures}{self.user}<|im_end|>\n"
            "<|im_start|>assistant\n<think>\n\n</think>\n\n"
        )


def aim_of(recipe: Recipe) -> Aim:
    """How the recipe's models like to be spoken to. Raises: `BadInput` for one whose text cannot be chosen freely."""
    if not recipe.aim:
        others = ", ".join(sorted({one.name for one in _recipes() if one.aim}))
        raise BadInput(
            f"an instruction for the recipe '{recipe.name}' cannot be rewritten, since it reads a few words alone, or has a "
            f"sentence of its own: leave rewriting out, or use one of {others}."
        )
    return AIMS[recipe.aim]


def chat_for(aim: Aim, instruction: str, *, num_pictures: int, is_clip: bool) -> Chat:
    """What a language model is asked to make of an instruction; of a clip it is shown frames, in order."""
    thing = "video" if is_clip else "picture"
    shown = ""
    if num_pictures:
        several = (
            f"{num_pictures} frames of the clip, in order" if num_pictures > 1 else "a frame of the clip"
        )
        frames = several if is_clip else "the picture"
        shown = f" You are shown {frames}: name things as they are seen there."
    fewest, most = aim.words
    before, after = aim.example
    system = (
        f"You rewrite what a person asks of a model that edits {thing}s, so that the model understands it.{shown} {aim.form} "
        f"Write {fewest} to {most} words in English, in one paragraph. Ask for nothing that the person did not ask for. Leave "
        "text in quotes as it is, in its own language. Answer with the rewritten text alone.\n"
        f"Example: '{before}' becomes: {after}"
    )
    return Chat(system, f"What the person asks: {instruction.strip()}", num_pictures)


def shown_frames(num_frames: int) -> list[int]:
    """The frames of a clip, counted from 0, that a language model is shown: a few, spread evenly from the first to the last."""
    count = min(MOST_FRAMES, num_frames)
    return [index * (num_frames - 1) // max(1, count - 1) for index in range(count)]


def plainly(aim: Aim, instruction: str) -> str:
    """What can be made of an instruction without a language model."""
    said = instruction.strip()
    if aim.starts and said.lower().startswith(aim.starts.lower()):
        return said
    bare = said.rstrip(".!")
    # The first word of an order has a capital only because it stands first; LEGO has more than one.
    if bare[1:2].islower() or bare[1:2].isspace():
        bare = bare[:1].lower() + bare[1:]
    return aim.plain.format(instruction=said, bare=bare)


def _recipes() -> list[Recipe]:
    from reelpatch.recipes import RECIPES

    return list(RECIPES.values())
