"""What a family brings to be loaded and run without ComfyUI."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn

from reelpatch.edits.contract import Edit, Moment
from reelpatch.families.family import Family, start
from reelpatch.families.kinds import FileKind
from reelpatch.headless.models.embedded_texts import Instructions
from reelpatch.headless.models.recipe_files import RecipeFiles
from reelpatch.headless.models.text_cache import TextCache


class VideoVae(Protocol):
    """Frames to normalised latents and back.

    Shapes: video [3, F, H, W] in [-1, 1], of a length and size that the family's lattice allows; latents [C, T, h, w] in fp32.
    """

    def encode(self, video: Tensor) -> Tensor: ...
    def decode(self, latents: Tensor) -> Tensor: ...

    def work_in_tiles(self, is_tiled: bool) -> None:
        """Less memory for large pictures, or whole again."""
        ...


class Predict(Protocol):
    """The velocity that a backbone predicts of latents [B, C, T, h, w] and texts, with `edits` at work.

    Texts are as the family's own reader joins them: [B, rows, D] where UMT5 made them.

    A skipped block hands its input on. `picture` is what an image-to-video backbone sees beside.
    Raises: `BadInput` when an edit asks for what this host cannot do, or does not fit the transformer.
    """

    def __call__(
        self,
        transformer: Any,
        latents: Tensor,
        text: Any,
        *,
        moment: Moment,
        edits: Sequence[Edit] = (),
        skipped_blocks: frozenset[int] = frozenset(),
        picture: Any = None,
    ) -> Tensor: ...


class FamilyModels(Protocol):
    """Loads a family's models from files, and runs its transformer with edits on it."""

    @property
    def predict(self) -> Predict: ...

    def load_backbone(
        self, path: Path, *, dtype: torch.dtype, device: torch.device, kinds: Collection[FileKind]
    ) -> nn.Module:
        """A backbone of one of these `kinds`, computing in `dtype`. Raises: `BadInput` for files that are something else."""
        ...

    def choose_attention(self, backbone: nn.Module, device: torch.device, dtype: torch.dtype) -> str:
        """Makes a backbone attend in the fastest way here, and says which it is; empty where there is one way."""
        ...

    def blocks_of(self, backbone: nn.Module) -> Sequence[nn.Module]:
        """The blocks, in order, each of which can be sent to a card by itself."""
        ...

    def load_vae(self, path: Path, *, dtype: torch.dtype, device: torch.device) -> VideoVae:
        """A VAE that computes in `dtype`. Raises: `BadInput` for files that are something else."""
        ...


class PictureReader(Protocol):
    """A picture encoder."""

    def embed(self, pictures: Tensor) -> Tensor:
        """What is seen of pictures [k, H, W, 3] in [0, 1], one after the other: [1, rows, width]."""
        ...


class LooksAtFrames(FamilyModels, Protocol):
    """The models of a family whose backbones look at frames of the clip."""

    def load_picture_encoder(self, path: Path) -> PictureReader:
        """Raises: `BadInput` for files that are something else."""
        ...


class Looking:
    """What a recipe's picture encoder, which is loaded when it is first asked, sees of pictures."""

    def __init__(self, family: FamilyModels, path: Path | None) -> None:
        self._family, self._path = family, path
        self._encoder: PictureReader | None = None

    def __call__(self, pictures: Tensor) -> Tensor:
        """As `PictureReader.embed`."""
        if self._encoder is None:
            assert self._path is not None
            self._encoder = cast(LooksAtFrames, self._family).load_picture_encoder(self._path)
        return self._encoder.embed(pictures)


class TextReader(Protocol):
    """Embeds texts for a family's backbones, and remembers some."""

    def embed(
        self, text: str, *, is_streamed: bool, make_room: Callable[[], None], on_work: Callable[[int], None]
    ) -> Any:
        """A text as `Predict` reads one. `make_room` is called before a large encoder is loaded; `on_work` hears 0 and 1 where the
        text was not in memory."""
        ...

    def join(self, texts: Sequence[Any], rows: int) -> Any:
        """What `Predict` reads of texts that run as one, each for so many rows."""
        ...


class OpensTexts(Protocol):
    """What reads texts for a family, before it knows of files."""

    def open(self, files: RecipeFiles, *, dtype: torch.dtype, device: torch.device) -> TextReader: ...


def open_texts(
    family: Family, files: RecipeFiles, *, dtype: torch.dtype, device: torch.device, is_kept: bool
) -> TextReader:
    """What reads texts for a family's backbones: UMT5, whose rows are kept on disk where they are to be, or its own."""
    if family.texts is None:
        cache = TextCache() if is_kept else None
        return Instructions(files.text_encoder, dtype=dtype, device=device, cache=cache)
    return cast(OpensTexts, start(family.texts)).open(files, dtype=dtype, device=device)


def start_models(family: Family) -> FamilyModels:
    """What loads and runs a family's models, which is not one that only ComfyUI runs."""
    assert family.headless is not None
    return cast(FamilyModels, start(family.headless))
