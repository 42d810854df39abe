"""The published ways to edit single pictures: each is the last frame of a short film that a video model imagines."""

from dataclasses import replace

from reelpatch.edits.reasoning.settings import REASONING_FRAMES, PictureEdit
from reelpatch.recipes.demo import DEMO_PICTURE, DEMO_REASONING
from reelpatch.recipes.files import (
    CHRONOEDIT_14B,
    CHRONOEDIT_LORA,
    CHRONOEDIT_PAINT_LORA,
    CHRONOEDIT_UPSCALE_LORA,
    CLIP_VISION_H,
    NVIDIA_OPEN,
    UMT5_XXL,
    WAN_VAE,
)
from reelpatch.recipes.record import Recipe
from reelpatch.sampling.guidance import Guidance

# As published, grammar included.
UPSCALE_SENTENCE = (
    "The user want to enhance image clarity and resolution while keeping the content identical. super-resolution, high "
    "detail, 4K clarity, same composition, natural texture."
)
PAINT_SENTENCE = (
    "Turn the pencil sketch in the image into an actual object that is consistent with the image’s content. The user wants "  # noqa: RUF001 -- as published
    "to change the sketch to a {}"
)
_BASE = (CHRONOEDIT_14B, WAN_VAE, UMT5_XXL, CLIP_VISION_H)
_CHRONOEDIT = Recipe(
    name="chronoedit",
    title="ChronoEdit: edit a picture as the last frame of a short film, in 50 steps",
    files=_BASE,
    schedule="diffusers-0.35",
    steps=50,
    shift=5.0,
    guidance=Guidance(5.0),
    width=1280,
    height=720,
    frames=5,
    fps=8,
    licence=NVIDIA_OPEN,
    source="https://github.com/nv-tlabs/ChronoEdit (its diffusers script; the weights named here are copies)",
    examples=(
        "Put a small red knitted hat on the cat's head; its pose, its fur and the room stay as they are.",
        "The user wants the cup to stand on the window sill instead of the table; the light and the view stay the same.",
    ),
    notes=(
        "The negative prompt stays empty. Instructions of 80 to 100 words work best: what changes, and what stays. The picture "
        "encoder sees the middle square of the picture, the rest of the model all of it."
    ),
    kind="reasoning",
    picture=PictureEdit(),
    aim="reasoning",
)
_EIGHT_STEPS = replace(
    _CHRONOEDIT,
    name="chronoedit-8step",
    title="ChronoEdit: edit a picture in 8 steps, one pass each",
    files=(*_BASE, CHRONOEDIT_LORA),
    steps=8,
    shift=2.0,
    guidance=Guidance(1.0),
    picture=PictureEdit(is_distilled=True),
)
PICTURE_RECIPES = (
    _CHRONOEDIT,
    _EIGHT_STEPS,
    replace(
        _CHRONOEDIT,
        name="chronoedit-reasoning",
        title="ChronoEdit that imagines the way to the edit first, for 10 of its 50 steps",
        frames=REASONING_FRAMES,
        notes=(
            f"{_CHRONOEDIT.notes} Frames between picture and edit are imagined for the first steps, and then dropped; the "
            "published script never drops them, which is 50 reasoning steps and three times the work of these 10."
        ),
        picture=PictureEdit(reasoning_steps=10),
    ),
    replace(
        _CHRONOEDIT,
        name="chronoedit-upscale",
        title="ChronoEdit with its upscaler LoRA: the same picture, larger and sharper",
        files=(*_BASE, CHRONOEDIT_UPSCALE_LORA),
        width=1584,
        height=1056,
        examples=("",),
        notes="Takes no instruction. The size asked for is that of the result, tested by its authors to about 2048 pixels a side.",
        picture=PictureEdit(sentence=UPSCALE_SENTENCE, enlarges=True),
        aim="",
    ),
    replace(
        _EIGHT_STEPS,
        name="chronoedit-paint",
        title="ChronoEdit with its paint-brush LoRA: black strokes on a picture become what you name",
        files=(*_BASE, CHRONOEDIT_PAINT_LORA, CHRONOEDIT_LORA),
        examples=("crown", "pair of round glasses"),
        notes="The instruction is the thing itself, without an article: the method's own sentence goes around it.",
        picture=PictureEdit(sentence=PAINT_SENTENCE, is_distilled=True),
        aim="",
    ),
    DEMO_PICTURE,
    DEMO_REASONING,
)
