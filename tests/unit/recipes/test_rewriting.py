"""How each method likes to be spoken to, and what becomes of a language model's answer."""

import re

import pytest

from reelpatch.errors import BadInput
from reelpatch.headless.demo import scenes
from reelpatch.recipes import RECIPES, recipe
from reelpatch.recipes.rewriting import AIMS, aim_of, chat_for, plainly
from reelpatch.recipes.rewritten import rewritten

REASONING = AIMS["reasoning"]


@pytest.mark.parametrize("name", AIMS)
def test_an_example_is_what_its_aim_asks_for(name: str) -> None:
    aim = AIMS[name]
    said, example = aim.example
    fewest, most = aim.words
    assert fewest <= len(example.split()) <= most
    assert example.startswith(aim.starts)
    assert rewritten(example, aim) == example
    assert said in chat_for(aim, "x", num_pictures=0, is_clip=True).system
    assert any(one.aim == name for one in RECIPES.values())


def test_every_recipe_whose_text_is_free_has_an_aim() -> None:
    without = {name for name, one in RECIPES.items() if not one.aim}
    assert without == {"enhance", "enhance-fast", "demo-enhance", "chronoedit-upscale", "chronoedit-paint"}
    with pytest.raises(BadInput, match="'chronoedit-paint' cannot be rewritten"):
        aim_of(recipe("chronoedit-paint"))


def test_the_demo_is_told_of_what_it_knows() -> None:
    form = AIMS["demo"].form
    assert all(word in form for word in (*scenes.HUES, *scenes.SHAPES))
    known = set(scenes.vocabulary())
    quoted = re.findall(r"'([^']+)'", form)
    assert quoted
    assert all(set(sentence.split()) <= known for sentence in quoted)


def test_a_chat_says_what_is_shown_and_repeats_what_was_asked() -> None:
    chat = chat_for(REASONING, " put the cup away ", num_pictures=1, is_clip=False)
    assert "You are shown the picture" in chat.system
    assert "80 to 100 words" in chat.system
    assert chat.user.endswith(": put the cup away")
    assert chat.as_qwen.count("<|image_pad|>") == 1
    assert chat.as_qwen.endswith("<think>\n\n</think>\n\n")
    clip = chat_for(AIMS["caption"], "x", num_pictures=4, is_clip=True)
    assert "4 frames of the clip" in clip.system
    assert "shown" not in chat_for(AIMS["caption"], "x", num_pictures=0, is_clip=True).system


def test_plain_forms() -> None:
    plain = plainly(REASONING, "Put a hat on the cat.")
    assert plain.startswith("The user wants to put a hat on the cat. Everything that is not named stays")
    assert plainly(REASONING, "The user wants to see a hat.") == "The user wants to see a hat."
    assert plainly(REASONING, "LEGO bricks everywhere").startswith(
        "The user wants to LEGO bricks everywhere. "
    )
    assert plainly(REASONING, "A hat for the cat").startswith("The user wants to a hat for the cat. ")
    assert plainly(AIMS["ditto"], "Make it a Claymation.") == "Make it a Claymation."


@pytest.mark.parametrize(
    "answer",
    [
        "Make it sepia.",
        '  "Make it sepia."\n',
        "“Make it\nsepia.”",
        "<think>It wants\nsepia.</think>\n\nMake it sepia.",
        "```text\nMake it sepia.\n```",
        "Rewritten instruction: Make it sepia.",
    ],
)
def test_an_answer_is_unpacked(answer: str) -> None:
    assert rewritten(answer, AIMS["ditto"]) == "Make it sepia."


def test_quoted_text_within_an_answer_stays() -> None:
    answer = '"OPEN" becomes "ZU" on the sign'
    assert rewritten(answer, AIMS["ditto"]) == answer


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("", "answered with nothing"),
        ("<think>x</think>", "answered with nothing"),
        ("<think>and so on", "was still thinking"),
        ("I'm sorry, but I can't help with that.", r"refused to rewrite the instruction \(I'm sorry"),
        ("word " * 100_000, "answered with 100000 words, where 4 to 25 were asked for"),
    ],
)
def test_what_is_no_instruction_is_refused(answer: str, said: str) -> None:
    with pytest.raises(BadInput, match=said) as error:
        rewritten(answer, AIMS["ditto"])
    assert len(str(error.value)) < 300
