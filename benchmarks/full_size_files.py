"""Ditto's files under their published names at full size: true headers, zeros for numbers, no room taken on disk."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tokenizers import Tokenizer, models, pre_tokenizers

from reelpatch.recipes import Role, recipe
from tests.unit.weights.fixtures import files
from tests.unit.weights.fixtures import models as published
from tests.unit.weights.fixtures.files import Header

RANK = 32
LAYERS = ("q", "k", "v", "o", "ffn.0", "ffn.2")
_WORDS = {word: number for number, word in enumerate(("<pad>", "</s>", "<unk>", "make", "it"))}


def write_ditto(folder: Path, lora_layers: Sequence[str] = LAYERS) -> float:
    """The five files that the recipe of Ditto takes, the backbone in fp8, in a models folder; their size in GB, none of which is on the disk."""
    ditto = recipe("ditto-global")
    backbone = published.t2v_14b()
    headers: dict[Role, Header] = {
        "backbone": files.kijai(backbone, "F8_E4M3"),
        "module": files.plain(published.vace_module_14b(), "BF16"),
        "lora": files.lora(backbone, RANK, "BF16", layers=lora_layers),
        "vae": files.plain(published.vae_2_1(), "BF16"),
        "text_encoder": files.plain(published.umt5_xxl(), "BF16"),
    }
    num_bytes = 0
    for role, header in headers.items():
        file = ditto.files_for(role)[0]
        (folder / file.folder).mkdir(parents=True, exist_ok=True)
        metadata: Mapping[str, str] = {"tokenizer_json": _tokenizer()} if role == "text_encoder" else {}
        num_bytes += files.write(folder / file.folder / file.names[0], header, metadata).stat().st_size
    return num_bytes / 1e9


def _tokenizer() -> str:
    tokenizer = Tokenizer(models.WordPiece(_WORDS, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer.to_str()
