"""What a weight file is, told from its safetensors header alone: no tensor is read, no file name is trusted."""

import re
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path

from reelpatch.errors import BadInput
from reelpatch.families.kinds import FileKind, Kind
from reelpatch.families.mark import Mark
from reelpatch.families.naming import KeyTable, Naming
from reelpatch.families.registry import FAMILIES
from reelpatch.families.strangers import find_mark, wan_task
from reelpatch.families.tensor_info import TensorInfo
from reelpatch.families.wan import layouts
from reelpatch.families.wan import names as wan_names
from reelpatch.families.wan.sizes import BY_WIDTH
from reelpatch.weights import names, storage
from reelpatch.weights.lora_header import LoraHeader, is_lora, read_lora
from reelpatch.weights.lora_keys import read_key
from reelpatch.weights.safetensors_header import read_header
from reelpatch.weights.unchanged_files import remembered

__all__ = ["Kind", "KnownFile", "TensorInfo", "describe", "expect", "identify", "read_header", "require"]

_REMEMBERED = 32  # files; the headers of a recipe are asked for many times
_TOKENIZER_METADATA = "tokenizer_json"
_NOT_WEIGHTS = frozenset(
    {storage.TOKENIZER, "encoder.embed_tokens.weight"}
)  # the second is shared.weight again
_ROWS: dict[FileKind, layouts.Rows] = {
    Kind.VAE21: layouts.VAE21,
    Kind.VAE22: layouts.VAE22,
    Kind.UMT5: layouts.UMT5,
    Kind.EDIT_ADAPTER: layouts.ADAPTER,
}
_VAES = {16: Kind.VAE21, 48: Kind.VAE22}  # by latent channels
_DIFFUSERS_KEY = re.compile(
    r"condition_embedder\.|(vace_)?blocks\.\d+\.(attn[12]\.|scale_shift_table|ffn\.net\.|proj_(in|out)\.)"
)
_UMT5_KEY = re.compile(r"encoder\.block\.[1-9]\d*\.layer\.0\.SelfAttention\.relative_attention_bias\.weight")
_WAN_KEY = re.compile(
    r"(vace_)?blocks\.\d+\.(self_attn\.norm_k\.weight|cross_attn\.norm_k\.weight|modulation)"
)
_BLOCK = re.compile(r"\d{1,3}")
_WIDE_VAE_WIDTHS = (160, 256)
_SIZED = frozenset({Kind.EDIT_ADAPTER, Kind.UMT5, Kind.VAE21, Kind.VAE22})
_VAE_WIDTHS = {96: "", 24: "light: a quarter of the widths"}
# What has this size, these input channels and this image branch. Where one header serves several, all are named.
_PUBLISHED = {
    ("14B", 16, ""): "Wan2.1 T2V or an expert of Wan2.2 T2V-A14B",
    ("1.3B", 16, ""): "Wan2.1 T2V",
    ("14B", 36, "img_emb"): "Wan2.1 I2V or ChronoEdit",
    ("14B", 36, "img_emb.emb_pos"): "Wan2.1 FLF2V",
    ("14B", 36, ""): "an expert of Wan2.2 I2V-A14B",
    ("5B", 48, ""): "Wan2.2 TI2V",
    ("5B", 96, ""): "Lucy-Edit",
}
_TRANSFORMERS = frozenset(
    {
        *(Kind.BACKBONE, Kind.VACE, Kind.EDIT_MODULE, Kind.IMAGE_BACKBONE, Kind.WIDE_BACKBONE),
        Kind.OTHER_BACKBONE,
    }
)


@dataclass(frozen=True)
class KnownFile:
    """A weight file, known by its header.

    `keys` maps native names (see `weights.names`) to the file's own; a name that no table has stands for itself.
    """

    path: Path
    kind: FileKind
    tensors: Mapping[str, TensorInfo]
    keys: Mapping[str, str]
    metadata: Mapping[str, str]
    naming: str = "native"

    def shape(self, native: str) -> tuple[int, ...]:
        """The tensor's shape; `BadInput` names the file and the key when it is not there."""
        if native not in self.keys:
            raise BadInput(
                f"{self.path} lacks {native}, which {self.kind.words} must have; download it again."
            )
        return self.tensors[self.keys[native]].shape

    def count(self, stack: str) -> int:
        """How many numbered blocks are stacked under this name (`blocks`, `vace_blocks`)."""
        numbers = (name.split(".")[1] for name in self.keys if name.startswith(f"{stack}."))
        return 1 + max((int(number) for number in numbers if _BLOCK.fullmatch(number)), default=-1)

    @cached_property
    def num_bytes(self) -> int:
        return sum(info.num_bytes for info in self.tensors.values())

    @cached_property
    def num_parameters(self) -> int:
        """Numbers in all tensors but scales and tokenizers."""
        return sum(
            prod(info.shape)
            for key, info in self.tensors.items()
            if key != storage.TOKENIZER and not storage.is_scale(key)
        )

    @cached_property
    def dtypes(self) -> frozenset[str]:
        return frozenset(info.dtype for info in self.tensors.values())

    @cached_property
    def scaling(self) -> str:
        """`plain`, or the style of the scales beside quantised weights: `scale_weight` or `comfy_quant`."""
        return storage.scaling_style(self.tensors)

    @property
    def is_scaled(self) -> bool:
        """Whether fp8 weights come with scales, so that a plain upcast would be wrong."""
        return self.scaling != "plain"

    @property
    def has_tokenizer(self) -> bool:
        return storage.TOKENIZER in self.keys or _TOKENIZER_METADATA in self.metadata

    @property
    def is_transformer(self) -> bool:
        """Whether it is a Wan backbone of any sort or an edit module."""
        return self.kind in _TRANSFORMERS

    @cached_property
    def lora(self) -> LoraHeader | None:
        """What a LoRA is for; None for other kinds."""
        return read_lora(self.tensors) if self.kind is Kind.LORA else None

    @cached_property
    def lora_within(self) -> LoraHeader | None:
        """The LoRA on the backbone that an edit adapter brings; None for other kinds, and for one without."""
        pairs = {key: info for key, info in self.tensors.items() if read_key(key) is not None}
        return read_lora(pairs) if self.kind is Kind.EDIT_ADAPTER and pairs else None

    @property
    def has_picture_branch(self) -> bool:
        """Whether a backbone looks at the embedding of a picture beside the text."""
        return "img_emb.proj.1.weight" in self.keys

    @cached_property
    def fit(self) -> layouts.Fit | None:
        """How the tensors agree with those that a file of this kind has; None where that is not known."""
        rows = _rows(self)
        if rows is None:
            return None
        return layouts.fit(
            rows,
            {
                name: self.tensors[key]
                for name, key in self.keys.items()
                if not storage.is_scale(key)
                and name not in _NOT_WEIGHTS
                and not (self.kind is Kind.EDIT_ADAPTER and read_key(key))
            },
        )

    @cached_property
    def width(self) -> int:
        """Of a transformer, or of the one that a LoRA is for; 0 where it is not known."""
        if self.lora:
            return self.lora.sizes.get("D", 0)
        has_width = self.is_transformer or self.kind is Kind.EDIT_ADAPTER
        return self.fit.sizes.get("D", 0) if self.fit and has_width else 0

    @property
    def size(self) -> str:
        """`14B`, `5B` or `1.3B` where the width is that of such a model; else empty."""
        return BY_WIDTH[self.width].name if self.width in BY_WIDTH else ""

    @cached_property
    def variant(self) -> str:
        """What its kind leaves open, in words; empty where there is nothing to say."""
        return _variant(self)

    @property
    def words(self) -> str:
        """The kind and the variant: `a VACE edit module (14B, 8 blocks)`."""
        kind = self.lora.kind_words if self.lora else self.kind.words
        return f"{kind} ({self.variant})" if self.variant else kind


@remembered(_REMEMBERED)
def identify(path: Path) -> KnownFile:
    """What the file holds, under native names; `BadInput` where it can't be read as safetensors."""
    return describe(path, *read_header(path))


def describe(path: Path, tensors: Mapping[str, TensorInfo], metadata: Mapping[str, str]) -> KnownFile:
    """What a file with these tensors holds, under native names."""
    naming, native = _table(tensors)
    keys = {native(names.strip_prefix(key)): key for key in tensors}
    file = KnownFile(path, Kind.UNKNOWN, tensors, keys, metadata, naming)
    return KnownFile(path, _kind(file), tensors, keys, metadata, naming)


def expect(path: Path, *kinds: FileKind) -> KnownFile:
    """The file at `path` if it is of one of these kinds; `BadInput` says what it is and where it belongs."""
    return require(identify(path), *kinds)


def require(file: KnownFile, *kinds: FileKind) -> KnownFile:
    """The file if it is of one of these kinds; `BadInput` says what it is and where it belongs."""
    if file.kind in kinds:
        if file.lora and file.lora.refusal:
            raise BadInput(f"{file.path} {file.lora.refusal}")
        return file
    wanted = " or ".join(kind.words for kind in kinds)
    if not file.tensors:
        raise BadInput(f"{file.path} holds no tensors; {wanted} is needed here: download it again.")
    if method := storage.foreign_quantisation(file.tensors):
        raise BadInput(
            f"{file.path} is quantised by {method}, which is not read here: use the bf16, fp16 or fp8 file of the same weights."
        )
    is_home = not file.kind.folder or file.kind.folder in file.path.parts
    home = "" if is_home else f" and belongs in the models folder {file.kind.folder!r}"
    raise BadInput(f"{file.path} is {file.words}{home}; {wanted} is needed here.")


def _table(keys: Mapping[str, TensorInfo]) -> tuple[str, Callable[[str], str]]:
    """The naming, and what makes names native that are without prefixes."""
    stripped = {names.strip_prefix(key) for key in keys}
    tables = (table for family in FAMILIES.all() for table in family.tables)
    if own := next((table for table in tables if table.fits(stripped)), None):
        return own.naming, own.native
    naming, table = _wan_table(stripped)
    return naming, KeyTable(naming, (), table).native


def _wan_table(stripped: Set[str]) -> tuple[str, Naming | None]:
    """The naming, and the table that makes it native; None where the names are native, or of no Wan model."""
    if any(map(_DIFFUSERS_KEY.match, stripped)):
        return "diffusers", wan_names.diffusers_to_native
    if "decoder.norm_out.gamma" in stripped:
        # The 48-channel VAE's levels are lists of their own.
        is_nested = any(key.startswith("encoder.down_blocks.0.resnets.") for key in stripped)
        return (
            "diffusers",
            wan_names.vae22_diffusers_to_native if is_nested else wan_names.vae_diffusers_to_native,
        )
    if any(map(_UMT5_KEY.match, stripped)):
        return "Hugging Face", wan_names.umt5_hf_to_wan
    return "native", None


def _kind(file: KnownFile) -> FileKind:
    has = file.keys.__contains__
    if has("source_embedding.weight") and has("mask_embedding.weight"):
        kind = Kind.EDIT_ADAPTER
    elif is_lora(file.tensors):
        kind = Kind.LORA
    elif own := _family_mark(file):
        kind = own.kind
    elif has("patch_embedding.weight") and has("head.modulation"):
        kind = _backbone_kind(file)
    elif has("vace_blocks.0.after_proj.weight"):
        kind = Kind.EDIT_MODULE
    elif has("decoder.head.0.gamma") and has("conv2.weight"):
        kind = _VAES.get(_axis(file, "conv2.weight", 0), Kind.OTHER_VAE)
    elif has("token_embedding.weight") and has("blocks.0.pos_embedding.embedding.weight"):
        kind = Kind.UMT5
    elif mark := _mark(file):
        kind = mark.kind
    else:
        kind = Kind.PART if any(map(_WAN_KEY.match, file.keys)) else Kind.UNKNOWN
    return kind


def _backbone_kind(file: KnownFile) -> Kind:
    num_in = _axis(file, "patch_embedding.weight", 1)
    num_out = _axis(file, "head.head.weight", 0) // 4 or num_in  # from patches of 2x2 pixels
    if wan_task(file.keys):
        return Kind.OTHER_BACKBONE
    if num_out == 48:
        return Kind.WIDE_BACKBONE
    if file.has_picture_branch or num_in == 36:
        return Kind.IMAGE_BACKBONE
    if num_in != num_out:
        return Kind.OTHER_BACKBONE
    return Kind.VACE if "vace_patch_embedding.weight" in file.keys else Kind.BACKBONE


def _axis(file: KnownFile, name: str, axis: int) -> int:
    """One size of a tensor; 0 where there is none."""
    info = file.tensors.get(file.keys.get(name, ""))
    return info.shape[axis] if info and len(info.shape) > axis else 0


def _mark(file: KnownFile) -> Mark | None:
    """What marks it among files that are none of Wan's."""
    return _family_mark(file) or find_mark(_stripped(file))


def _family_mark(file: KnownFile) -> Mark | None:
    """The mark of a registered family that it bears."""
    tensors = _stripped(file) | {name: file.tensors[key] for name, key in file.keys.items()}
    return next((mark for family in FAMILIES.all() for mark in family.marks if mark.fits(tensors)), None)


def _stripped(file: KnownFile) -> dict[str, TensorInfo]:
    return {names.strip_prefix(key): info for key, info in file.tensors.items()}


def _rows(file: KnownFile) -> layouts.Rows | None:
    """The tensors that such a file has."""
    if file.kind is Kind.EDIT_MODULE:
        return layouts.VACE
    if not file.is_transformer:
        return _ROWS.get(file.kind)
    rows = layouts.BACKBONE
    if any(map(layouts.is_of_module, file.keys)):
        rows = rows | layouts.VACE
    if any(".cross_attn.k_img." in name or name.startswith("img_emb.proj.") for name in file.keys):
        rows = rows | layouts.IMAGE
    return rows | layouts.FIRST_AND_LAST if "img_emb.emb_pos" in file.keys else rows


def _variant(file: KnownFile) -> str:
    if file.lora:
        lora = file.lora
        ranks = (
            f"ranks {lora.ranks[0]} to {lora.ranks[-1]}" if lora.ranks[1:] else f"rank {[*lora.ranks, 0][0]}"
        )
        if lora.forms:
            ranks = f"{' and '.join(lora.forms)}, {ranks if lora.ranks else 'whole matrices'}"
        return (
            f"for {lora.base_words(file.size)}"
            if lora.method
            else f"{ranks}, for {lora.base_words(file.size)}"
        )
    if file.is_transformer:
        return _transformer_variant(file)
    if file.kind in _SIZED:
        return _sized_variant(file, file.fit.sizes if file.fit else {})
    if file.kind is Kind.PART:
        return f"{file.naming} naming"
    mark = _mark(file) if file.kind is not Kind.UNKNOWN else None
    return mark.name if mark else ""


def _sized_variant(file: KnownFile, sizes: Mapping[str, int]) -> str:
    """Of those that only their sizes tell apart."""
    if file.kind is Kind.EDIT_ADAPTER:
        lora = file.lora_within
        ranks = " and ".join(map(str, lora.ranks)) if lora else ""
        changes = f"LoRA of rank {ranks}" if ranks else "full differences of layers" if lora else "no LoRA"
        return f"{file.size or f'{file.width} wide'}, {sizes.get('C', 0)} channels, {changes}"
    if file.kind is Kind.UMT5:
        is_xxl = (sizes.get("D"), file.count("blocks")) == (4096, 24)
        return "XXL" if is_xxl else f"{file.count('blocks')} blocks, {sizes.get('D', 0)} wide"
    if file.kind is Kind.VAE21:
        return _VAE_WIDTHS.get(sizes.get("G", 0), f"base width {sizes.get('G', 0)}")
    widths = (sizes.get("C", 0), sizes.get("G", 0))
    return "" if widths == _WIDE_VAE_WIDTHS else f"base widths {widths[0]} and {widths[1]}"


def _transformer_variant(file: KnownFile) -> str:
    size = file.size or f"{file.width} wide"
    if file.kind is Kind.EDIT_MODULE:
        return f"{size}, {file.count('vace_blocks')} blocks"
    num_in = _axis(file, "patch_embedding.weight", 1)
    if file.kind is Kind.OTHER_BACKBONE:
        return f"{size}, {wan_task(file.keys) or f'{num_in} input channels'}"
    image = "img_emb.emb_pos" if "img_emb.emb_pos" in file.keys else "img_emb"
    published = _PUBLISHED.get((size, num_in, image if file.has_picture_branch else ""))
    return f"{size}, {published}" if published else f"{size}, {file.count('blocks')} blocks"
