"""Language models in a folder: tiny ones in transformers' own form, with eyes and without, whose words mean nothing."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    CLIPImageProcessor,
    LlamaConfig,
    LlamaForCausalLM,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

from reelpatch.errors import BadInput
from reelpatch.headless.commands.main import BAD_INPUT, main
from reelpatch.headless.rewriting.local import answered, sees
from reelpatch.headless.rewriting.options import RewriteOptions
from reelpatch.headless.rewriting.rewriter import rewrite
from reelpatch.headless.rewriting.seen import Seen
from reelpatch.recipes import recipe
from reelpatch.recipes.rewriting import Chat

IMAGE = "<|image_pad|>"
SPECIAL = ["<unk>", "<|im_start|>", "<|im_end|>", IMAGE, "<|endoftext|>"]
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.content is string %}{{ m.content }}{% else %}{% for c in "
    "m.content %}{% if c.type == 'image' %}<|image_pad|>{% else %}{{ c.text }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "initializer_range": 0.5,  # so that other tokens give other words
}


@pytest.fixture(autouse=True)
def few_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reelpatch.headless.rewriting.local.MOST_TOKENS", 24)


def tokenizer() -> PreTrainedTokenizerFast:
    names = [*SPECIAL, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    bytewise = Tokenizer(
        models.BPE(vocab={name: index for index, name in enumerate(names)}, merges=[], unk_token="<unk>")
    )
    bytewise.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytewise.decoder = decoders.ByteLevel()
    made = PreTrainedTokenizerFast(
        tokenizer_object=bytewise,
        unk_token="<unk>",
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=SPECIAL[1:4],
    )
    made.chat_template = TEMPLATE
    return made


@pytest.fixture(scope="module")
def blind(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, words = tmp_path_factory.mktemp("blind"), tokenizer()
    torch.manual_seed(0)
    LlamaForCausalLM(LlamaConfig(vocab_size=len(words), eos_token_id=2, **SMALL)).save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def seeing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, words = tmp_path_factory.mktemp("seeing"), tokenizer()
    vision = {name: value for name, value in SMALL.items() if name != "num_key_value_heads"}
    config = LlavaConfig(
        text_config={"model_type": "llama", "vocab_size": len(words), "eos_token_id": 2, **SMALL},
        vision_config={"model_type": "clip_vision_model", "image_size": 32, "patch_size": 16, **vision},
        image_token_index=SPECIAL.index(IMAGE),
        image_seq_length=4,
    )
    torch.manual_seed(0)
    LlavaForConditionalGeneration(config).save_pretrained(folder)
    LlavaProcessor(
        image_processor=CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}),
        tokenizer=words,
        chat_template=TEMPLATE,
        patch_size=16,
        vision_feature_select_strategy="default",
        image_token=IMAGE,
        num_additional_image_tokens=1,
    ).save_pretrained(folder)
    return folder


def jpeg(colour: tuple[int, int, int]) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (48, 32), colour).save(file, "JPEG")
    return file.getvalue()


RED, GREEN = jpeg((220, 20, 20)), jpeg((20, 220, 20))


def test_one_that_sees_is_shown_the_pictures(seeing: Path) -> None:
    assert sees(seeing)
    chat = Chat("Rewrite.", "lego", 2)
    assert answered(seeing, chat, [RED, RED]) == answered(seeing, chat, [RED, RED])
    assert answered(seeing, chat, [RED, RED]) != answered(seeing, chat, [GREEN, RED])


def test_one_without_eyes_reads_the_request(blind: Path) -> None:
    assert not sees(blind)
    assert answered(blind, Chat("Rewrite.", "lego", 0), []) != answered(
        blind, Chat("Rewrite.", "clay", 0), []
    )


def test_a_folder_that_transformers_does_not_know_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "no_such_model"}')
    with pytest.raises(BadInput, match="cannot be used") as error:
        answered(tmp_path, Chat("Rewrite.", "lego", 0), [])
    assert "\n" not in str(error.value)
    asked = ["rewrite", "x", "--recipe", "vace", "--rewrite-folder", str(tmp_path), "--json"]
    assert main(asked) == BAD_INPUT
    assert "(--rewrite-folder)" in json.loads(capsys.readouterr().out)["error"]


def test_what_is_shown_is_what_is_said_to_be(
    blind: Path, seeing: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model without eyes is not told that it is shown frames."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    picture, asked = tmp_path / "red.jpg", list[tuple[Chat, int]]()
    picture.write_bytes(RED)

    def noted(_folder: Path, chat: Chat, pictures: Sequence[bytes]) -> str:
        asked.append((chat, len(pictures)))
        return "The user wants to make it green."

    monkeypatch.setattr("reelpatch.headless.rewriting.local.answered", noted)
    for folder in (blind, seeing):
        rewrite(
            "green",
            recipe("chronoedit"),
            Seen(picture, is_clip=False),
            RewriteOptions(folder=folder),
        )
    (without, none), (with_eyes, one) = asked
    assert (none, one) == (0, 1)
    assert "You are shown" not in without.system
    assert "You are shown the picture" in with_eyes.system
