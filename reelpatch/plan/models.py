"""Which models a recipe runs, how large they are, and in what precision they are held.

Sizes come from the headers of files that are there, else from what the recipe's published files are known to hold.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Literal

from reelpatch.errors import BadInput
from reelpatch.families.counts import (
    FP8,
    FP32,
    HALF,
    BackboneCounts,
    FamilyCounts,
    FamilySizes,
    ModuleCounts,
    ModuleSizes,
    TextCounts,
    VaeCounts,
)
from reelpatch.families.hunyuan15.files import HunyuanFile
from reelpatch.families.kinds import FileKind, Kind
from reelpatch.plan.picture_encoder import NO_PICTURES, SIGLIP_SO400M, VIT_H, PictureEncoderSizes
from reelpatch.recipes import Recipe, Role, WeightFile
from reelpatch.weights.header import KnownFile

Dtype = Literal["auto", "fp8", "bf16", "fp16", "fp32"]
DTYPES: tuple[Dtype, ...] = ("auto", "fp8", "bf16", "fp16", "fp32")
_VAE_BYTES = {"fp32": FP32, "bf16": HALF, "fp16": HALF}  # of a number that a VAE computes with
_PICTURE_ENCODERS: dict[FileKind, PictureEncoderSizes] = {
    Kind.CLIP_VISION: VIT_H,
    HunyuanFile.SIGLIP: SIGLIP_SO400M,
}
_BYTES = {"F32": FP32, "F8_E4M3": FP8, "F8_E5M2": FP8, "I8": FP8}  # of weights in files; all others are half

# Outside the blocks, what is held as it is stored (`headless/models/wan_transformer.py`).
_STORED_OUTSIDE = ("text_embedding.0.weight", "text_embedding.2.weight", "time_projection.1.weight")


@dataclass(frozen=True)
class Models:
    """The models of a recipe; one that edits nothing has no edit module.

    Units: `*_bytes` are the bytes that a linear weight takes in memory, `compute_bytes` those of a number that is
    computed with; `lora_bytes` are those of all LoRAs together. `from_headers` names the roles whose sizes were
    read from files. Of `num_experts` backbones of one size, one is held at a time. `narrow_outside` is how many
    numbers outside the blocks stay in fp8, as the backbone's file holds them; a transformer that `works_in_pieces` can run
    over pieces of its tokens. The VAE is held and computes in numbers of `vae_number_bytes`.
    """

    backbone: BackboneCounts
    module: ModuleCounts | None
    vae: VaeCounts
    text: TextCounts
    backbone_bytes: int
    module_bytes: int
    text_bytes: int
    compute_bytes: int
    lora_bytes: int
    has_loras: bool
    from_headers: tuple[Role, ...] = ()
    picture: PictureEncoderSizes = NO_PICTURES
    num_experts: int = 1
    works_in_pieces: bool = False
    narrow_outside: int = 0
    vae_number_bytes: int = FP32

    @property
    def num_parameters(self) -> int:
        """Of backbone and edit module."""
        return self.backbone.parameters.total + self.module_parameters

    @property
    def module_parameters(self) -> int:
        """Of the edit module, 0 without one."""
        return 0 if self.module is None else self.module.parameters.total

    @property
    def outside_bytes(self) -> int:
        """What of backbone and module lies outside blocks: embeddings and the head, matrices as they are stored."""
        half = self.compute_bytes
        outside = self.backbone.outside.num_bytes(half, half) - (half - FP8) * self.narrow_outside
        rest = self.lora_bytes % self.backbone.num_blocks
        return outside + rest + (0 if self.module is None else self.module.outside.num_bytes(half, half))

    @property
    def block_bytes(self) -> tuple[int, ...]:
        """Of each block with its LoRAs: those of the backbone first, then those of the module with their projections.

        LoRAs are counted as if all of them were on the backbone.
        """
        half = self.compute_bytes
        num_blocks = self.backbone.num_blocks
        main = self.backbone.block.num_bytes(self.backbone_bytes, half) + self.lora_bytes // num_blocks
        blocks = (main,) * num_blocks
        if self.module is None or not self.module.num_blocks:
            return blocks
        core, projection = (
            part.num_bytes(self.module_bytes, half) for part in (self.module.core, self.module.projection)
        )
        rest = (core + projection,) * (self.module.num_blocks - 1)
        return (*blocks, core + 2 * projection, *rest)

    @property
    def slot_bytes(self) -> int:
        """The greatest part of a block that is sent to a card at a time, with its LoRAs."""
        if not self.works_in_pieces:
            return max(self.block_bytes)
        feed_forward = 2 * self.backbone.dim * self.backbone.ffn_dim
        loras = self.lora_bytes // (2 * self.backbone.num_blocks)
        return max(self.backbone_bytes, self.module_bytes) * feed_forward + loras

    @property
    def transformer_bytes(self) -> int:
        """Of what is held of it at a time."""
        return self.outside_bytes + sum(self.block_bytes)

    @property
    def vae_bytes(self) -> int:
        """In the dtype that it computes in."""
        return self.vae_number_bytes * self.vae.parameters

    @property
    def text_encoder_bytes(self) -> int:
        matrices = self.text.num_blocks * self.text.matrices
        half = self.compute_bytes
        return self.text_bytes * matrices + half * (self.text.parameters - matrices)

    @property
    def text_block_bytes(self) -> int:
        return self.text_bytes * self.text.matrices

    @property
    def stored_bytes(self) -> int:
        """Of all weights together, as they are held."""
        transformers = self.num_experts * self.transformer_bytes
        return transformers + self.vae_bytes + self.text_encoder_bytes + self.picture_encoder_bytes

    @property
    def picture_encoder_bytes(self) -> int:
        """In fp32, as it is run, in RAM."""
        return FP32 * self.picture.parameters


def models_of(
    recipe: Recipe, found: Mapping[Role, KnownFile], *, dtype: Dtype = "auto", vae_dtype: str = "fp32"
) -> Models:
    """The models of a recipe, with `found` files' headers in place of what is published.

    `dtype` fp8 stands for files in fp8 where they are published, the others for the arithmetic; auto is bf16 with
    weights as in the recipe's own files.

    Raises: `BadInput` for a backbone of unknown size, and for a dtype in which no VAE computes.
    """
    counts = recipe.model_family.start_counts()
    sizes = _published(recipe, found, counts)
    compute = FP32 if dtype == "fp32" else HALF
    backbone = counts.backbone(found["backbone"]) if "backbone" in found else sizes.backbone
    module_sizes = recipe.edit_kind.start_counts() if recipe.files_for("module") else None
    module = None if module_sizes is None else _module(module_sizes, backbone, sizes, found.get("module"))

    def held(role: Role, key: str) -> int:
        return _held(recipe.files_for(role)[0], found.get(role), key, dtype, compute)

    loras = recipe.files_for("lora")
    return Models(
        backbone=backbone,
        module=module,
        vae=counts.vae(found["vae"]) if "vae" in found else sizes.vae,
        text=counts.text(found["text_encoder"]) if "text_encoder" in found else sizes.text,
        backbone_bytes=held("backbone", counts.matrix),
        module_bytes=held("module", module_sizes.matrix) if module_sizes else 0,
        text_bytes=held("text_encoder", counts.text_matrix),
        compute_bytes=compute,
        lora_bytes=found["lora"].num_bytes
        if "lora" in found
        else sum(int(1e9 * (one.size_gb or 0)) for one in loras),
        has_loras=bool(loras),
        from_headers=tuple(found),
        num_experts=1 + recipe.has_two_experts,
        picture=_PICTURE_ENCODERS[recipe.files_for("clip_vision")[0].kinds[0]]
        if recipe.files_for("clip_vision")
        else NO_PICTURES,
        works_in_pieces=recipe.model_family.works_in_pieces,
        narrow_outside=_narrow_outside(found.get("backbone"), dtype),
        vae_number_bytes=_VAE_BYTES[checked_vae_dtype(vae_dtype)],
    )


def checked_vae_dtype(name: str) -> str:
    """The name of a dtype that a VAE computes in. Raises: `BadInput` for another one."""
    if name not in _VAE_BYTES:
        raise BadInput(
            f"the VAE cannot compute in '{name}': use {', '.join(_VAE_BYTES)}.", setting="vae_dtype"
        )
    return name


def has_fp8(recipe: Recipe, role: Role) -> bool:
    """Whether the recipe's file of this role is published in fp8."""
    return any("fp8" in name for file in recipe.files_for(role)[:1] for name in file.names)


def _held(file: WeightFile, found: KnownFile | None, key: str, dtype: Dtype, compute: int) -> int:
    if dtype == "fp8":
        return FP8 if any("fp8" in name for name in file.names) else compute
    if dtype == "auto":
        stored = _BYTES.get(found.tensors[found.keys[key]].dtype, HALF) if found else _named_bytes(file)
        return FP8 if stored == FP8 else compute
    return compute


def _narrow_outside(found: KnownFile | None, dtype: Dtype) -> int:
    if found is None or dtype not in ("auto", "fp8"):
        return 0
    tensors = (found.tensors[found.keys[name]] for name in _STORED_OUTSIDE if name in found.keys)
    return sum(prod(tensor.shape) for tensor in tensors if _BYTES.get(tensor.dtype) == FP8)


def _named_bytes(file: WeightFile) -> int:
    return FP8 if "fp8" in file.names[0] else HALF


def _module(
    sizes: ModuleSizes, backbone: BackboneCounts, published: FamilySizes, found: KnownFile | None
) -> ModuleCounts:
    if found is None:
        return sizes.published(backbone, published.module_blocks)
    return sizes.of_file(backbone, found)


def _published(recipe: Recipe, found: Mapping[Role, KnownFile], counts: FamilyCounts) -> FamilySizes:
    file = recipe.files_for("backbone")[0]
    names = (*file.names, file.size)
    if published := counts.published(names, sees_pictures=file.kind is Kind.IMAGE_BACKBONE):
        return published
    needed = {"backbone", "vae", "text_encoder"} | ({"module"} if recipe.files_for("module") else set[Role]())
    if not needed <= found.keys():
        raise BadInput(
            f"the sizes of {file.names[0]} are not known without the file: name the models folder that has the files of "
            f"'{recipe.name}'.",
            setting="models",
        )
    text = counts.text(found["text_encoder"])
    return FamilySizes(counts.backbone(found["backbone"]), counts.vae(found["vae"]), text)
