"""Asks a language model in a folder, loaded through transformers; one that sees is shown the pictures."""

import io
import logging
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from reelpatch.errors import BadInput
from reelpatch.recipes.rewriting import MOST_TOKENS, Chat

_log = logging.getLogger(__name__)


def sees(folder: Path) -> bool:
    """Whether the model in a folder can be shown pictures. Raises: `BadInput` for a folder that holds no language model."""
    if not (folder / "config.json").is_file():
        raise BadInput(
            f"{folder} holds no model for transformers (no config.json): name the folder of one, such as Qwen3-VL-4B-Instruct.",
            setting="rewrite_folder",
        )
    from transformers import AutoConfig

    with _explained(folder):
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        return getattr(config, "vision_config", None) is not None


def answered(folder: Path, chat: Chat, pictures: Sequence[bytes]) -> str:
    """The model's answer to a chat with JPEG `pictures`; there are none for a model that does not see.

    Raises: `BadInput` for a folder that holds no such model.
    """
    has_eyes = sees(folder)
    with _explained(folder):
        try:
            return _generated(folder, chat, pictures, sees=has_eyes)
        finally:
            if torch.cuda.is_available():
                torch.cuda.empty_cache()  # the edit needs the room


@contextmanager
def _explained(folder: Path) -> Generator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError, ImportError) as error:
        reason = next(filter(None, str(error).splitlines()), type(error).__name__)
        raise BadInput(
            f"the language model in {folder} cannot be used ({reason}): name the folder of one that transformers runs.",
            setting="rewrite_folder",
        ) from error


def _generated(folder: Path, chat: Chat, pictures: Sequence[bytes], *, sees: bool) -> str:
    from transformers import AutoModelForCausalLM, AutoModelForImageTextToText, AutoProcessor, AutoTokenizer

    device = "cuda" if torch.cuda.is_available() else "cpu"
    of: Any = AutoModelForImageTextToText if sees else AutoModelForCausalLM
    words: Any = (AutoProcessor if sees else AutoTokenizer).from_pretrained(folder, local_files_only=True)
    num_bytes = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    _log.info("Loading the language model in %s (%.1f GB) on %s.", folder, num_bytes / 1e9, device)
    model: Any = of.from_pretrained(folder, local_files_only=True, dtype="auto").to(device).eval()
    shown = [{"type": "image", "image": Image.open(io.BytesIO(one))} for one in pictures]
    user: Any = [*shown, {"type": "text", "text": chat.user}] if sees else chat.user
    system: Any = [{"type": "text", "text": chat.system}] if sees else chat.system
    inputs: Any = words.apply_chat_template(
        [{"role": "system", "content": system}, {"role": "user", "content": user}],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
        **({} if sees else {"enable_thinking": False}),
    ).to(device)
    with torch.inference_mode():
        made = model.generate(**inputs, max_new_tokens=MOST_TOKENS, do_sample=False)
    answer = made[0, inputs["input_ids"].shape[1] :]
    return str(words.decode(answer, skip_special_tokens=True))
