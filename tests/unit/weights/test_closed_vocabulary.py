"""The demo names the words that it does not know, in English and in other scripts, in every host."""

import json

import pytest
from safetensors import safe_open

from reelpatch.errors import BadInput
from reelpatch.headless.demo import scenes
from reelpatch.headless.models.recipe_files import SHIPPED_MODELS
from reelpatch.weights.closed_vocabulary import SPELLINGS, ClosedVocabulary

FILE = SHIPPED_MODELS / "text_encoders" / "reelpatch_demo_umt5.safetensors"


@pytest.fixture(scope="module")
def vocabulary() -> ClosedVocabulary:
    with safe_open(FILE, framework="np") as tensors:
        found = ClosedVocabulary.of(tensors.metadata()["tokenizer_json"])
    assert found is not None
    return found


def test_it_knows_what_the_generator_says_and_no_more(vocabulary: ClosedVocabulary) -> None:
    assert vocabulary.words == set(scenes.vocabulary())
    assert set(SPELLINGS.values()) <= vocabulary.words
    assert not set(SPELLINGS) & vocabulary.words


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("make the circle blue", "make the circle blue"),
        ("  Make the CIRCLE blue!  ", "make the circle blue"),
        ("change the color of it, to red.", "change the colour of it to red"),
        ("", ""),
    ],
)
def test_case_spelling_and_punctuation_are_no_matter(
    vocabulary: ClosedVocabulary, text: str, known: str
) -> None:
    assert vocabulary.known(text) == known


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("make the circle a dragon", "'dragon'"),
        ("把圆形变成蓝色", "'把圆形变成蓝色'"),
        ("dragon zebra piano kiwi", "'dragon', 'zebra', 'piano' and 1 more"),
        ("make the cirkle blue", "'cirkle' (did you mean circle?)"),
    ],
)
def test_other_words_are_named(vocabulary: ClosedVocabulary, text: str, named: str) -> None:
    with pytest.raises(BadInput) as refusal:
        vocabulary.known(text)
    sentence = str(refusal.value)
    assert sentence.startswith(f"the demo does not know {named}; it knows a, and, background, black, blue,")
    assert "sepia" in sentence


def test_a_tokenizer_that_takes_words_apart_refuses_none() -> None:
    assert ClosedVocabulary.of(json.dumps({"model": {"type": "Unigram", "vocab": [["a", -1.0]]}})) is None
