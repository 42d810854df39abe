"""What HunyuanVideo-1.5's text encoders can read, known from their headers and from what lies beside them."""

import re
from pathlib import Path

from reelpatch.errors import BadInput
from reelpatch.headless.models.recipe_files import RecipeFiles
from reelpatch.weights.header import identify

SOURCE = "https://huggingface.co/Qwen/Qwen2.5-VL-7B-Instruct"
_FOLDERS = ("{stem}", "Qwen/Qwen2.5-VL-7B-Instruct", "Qwen2.5-VL-7B-Instruct", "")
_QUOTED = re.compile(r"\"(.*?)\"|“(.*?)”")


class HunyuanTextCheck:
    """As `TextCheck`."""

    def check_files(self, files: RecipeFiles) -> None:
        tokenizer_file(files.text_encoder)
        _check_widths(files)

    def check(self, files: RecipeFiles, text: str) -> None:
        if quoted(text) and files.glyph_encoder is None:
            raise BadInput(
                f"the text quotes {quoted(text)}, which byT5 reads, but there is none here: get byt5_small_glyphxl_fp16.safetensors, "
                "or leave the quotes out."
            )


def quoted(text: str) -> list[str]:
    """What stands in double quotes, straight or curly, each once. Source: HunyuanVideo-1.5's pipeline."""
    return list(dict.fromkeys(one or other for one, other in _QUOTED.findall(text)))


def tokenizer_file(path: Path) -> Path:
    """The tokenizer beside a Qwen2.5-VL file. Raises: `BadInput` where there is none."""
    for folder in _FOLDERS:
        found = path.parent / folder.format(stem=path.stem) / "tokenizer.json"
        if found.is_file():
            return found
    raise BadInput(
        f"No tokenizer is beside {path}: put tokenizer.json of {SOURCE} into {path.parent / path.stem}."
    )


def _check_widths(files: RecipeFiles) -> None:
    """Raises: `BadInput` for a text encoder whose rows the backbone does not read."""
    text, backbone = identify(files.text_encoder), identify(files.backbone)
    made, read = text.shape("embed_tokens.weight")[1], backbone.shape("context_embedder.proj_in.weight")[1]
    if made != read:
        raise BadInput(
            f"{files.text_encoder} is {text.words}, whose rows are {made} wide, but {files.backbone} reads rows of {read}: get "
            "qwen_2.5_vl_7b_fp8_scaled.safetensors."
        )
