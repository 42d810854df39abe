"""A LoRA file in any of its usual spellings, read as what it adds to a model under the native names of its parameters.

Nothing here knows a host: tensors go in under the file's names and come out under the model's.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from torch import Tensor

from reelpatch.weights.lora_alpha import PeftConfig
from reelpatch.weights.lora_keys import LayerNames, Part, read_key
from reelpatch.weights.lycoris import FactoredChange
from reelpatch.weights.lycoris_parts import Layout

Shapes = Mapping[str, tuple[int, ...]]
_Parts = Mapping[Part, str]
_OF_PAIR: tuple[Part, ...] = ("down", "up", "alpha", "up_bias")
_PARAMETERS: dict[Part, str] = {
    "weight": "weight",
    "bias": "bias",
    "up_bias": "bias",
    "modulation": "modulation",
}


@dataclass(frozen=True)
class LoraPair:
    """What a LoRA adds to the matrix of one layer: `W + strength * scale * up @ down`.

    Shapes: down [rank, in], up [out, rank].
    """

    down: Tensor
    up: Tensor
    scale: float

    @property
    def rank(self) -> int:
        return self.down.shape[0]

    def product(self) -> Tensor:
        """`scale * up @ down` in full, [out, in] in float32. Cost: as many bytes as the weight has in float32."""
        return self.scale * (self.up.float() @ self.down.float())


@dataclass(frozen=True)
class Lora:
    """What a LoRA adds at strength 1, and the file's other keys, each with the reason why it is not used.

    `pairs` by native layer name (`blocks.0.self_attn.q`), for matrices; `deltas` by native parameter name
    (`blocks.0.norm3.weight`, `head.head.bias`, `blocks.0.modulation`), in the parameter's own shape; `factored`, by
    native layer name, are LoHa's and LoKr's changes of matrices.
    """

    pairs: Mapping[str, LoraPair]
    deltas: Mapping[str, Tensor]
    unmatched: Mapping[str, str]
    factored: Mapping[str, FactoredChange] = field(default_factory=dict[str, FactoredChange])

    @property
    def num_layers(self) -> int:
        """How many layers and bare parameters of the model it changes."""
        return len(
            self.pairs.keys()
            | self.factored.keys()
            | {name.removesuffix(".weight").removesuffix(".bias") for name in self.deltas}
        )

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """All that it adds, by native name."""
        for layer, pair in self.pairs.items():
            yield layer, pair.down
            yield layer, pair.up
        for layer, change in self.factored.items():
            yield from ((layer, tensor) for _, tensor in change.parts())
        yield from self.deltas.items()


def match_lora(state: Mapping[str, Tensor], shapes: Shapes, config: PeftConfig | None = None) -> Lora:
    """What of `state` fits a model whose parameters have these `shapes`, by native name.

    A pair's scale is alpha / rank; alpha is the file's own for the layer, else that of `config`, else the rank.
    Every key of `state` is either used or in `unmatched`.
    """
    matching = _Matching(state, shapes, config)
    for layer, parts in matching.layers.items():
        matching.place(layer, parts)
    return Lora(matching.pairs, matching.deltas, matching.unmatched, matching.factored)


class _Matching:
    def __init__(self, state: Mapping[str, Tensor], shapes: Shapes, config: PeftConfig | None) -> None:
        self.state, self.shapes, self.config = state, shapes, config
        self.names = LayerNames(shapes)
        self.pairs: dict[str, LoraPair] = {}
        self.deltas: dict[str, Tensor] = {}
        self.unmatched: dict[str, str] = {}
        self.factored: dict[str, FactoredChange] = {}
        self.layers: dict[str, dict[Part, str]] = {}
        self.factors: dict[str, dict[str, str]] = {}  # of LoHa and LoKr: keys by layer and part
        self._methods: dict[str, str] = {}
        for key in state:
            self._sort_in(key)

    def _sort_in(self, key: str) -> None:
        read = read_key(key)
        if read is None:
            self.unmatched[key] = "it is no part of a LoRA"
            return
        parts = self.layers.setdefault(read.layer, {})
        if read.part == "factor":
            factors = self.factors.setdefault(read.layer, {})
            if factors.setdefault(read.method, key) != key:
                self.unmatched[key] = f"it is a second adapter in one file, beside {factors[read.method]}"
        elif read.part == "other":
            # Whatever else the layer has is part of that method too: a DoRA's pair alone would be another change.
            self._methods.setdefault(read.layer, read.method)
            self.unmatched[key] = _unsupported(read.method)
        elif read.part in parts:
            self.unmatched[key] = f"it is a second adapter in one file, beside {parts[read.part]}"
        else:
            parts[read.part] = key

    def place(self, layer: str, parts: _Parts) -> None:
        native = self.names.native(layer)
        factors = self.factors.get(layer, {})
        if layer in self._methods:
            self._refuse([*parts.values(), *factors.values()], _unsupported(self._methods[layer]))
        elif native is None:
            self._refuse([*parts.values(), *factors.values()], self.names.why_not(layer))
        else:
            if factors:
                self._place_factors(layer, native, parts, factors)
            scale = None if factors else self._place_pair(layer, native, parts)
            for part, parameter in _PARAMETERS.items():
                if part in parts and part != "up_bias":
                    self._place_delta(native, parameter, parts[part])
                elif part in parts and scale is not None:
                    self._place_delta(native, parameter, parts[part], scale)

    def _place_pair(self, layer: str, native: str, parts: _Parts) -> float | None:
        """Puts the pair where it belongs and gives its scale; None where there is none or it can't be used."""
        keys = [parts[part] for part in _OF_PAIR if part in parts]
        shape = self.shapes.get(f"{native}.weight", ())
        reason = self._misfit(parts, shape)
        if not reason and self._is_changed(native):
            reason = f"other keys of the file change {native} already"
        if reason:
            self._refuse(keys, reason)
            return None
        down, up = self.state[parts["down"]].flatten(1), self.state[parts["up"]].flatten(1)
        if "alpha" in parts:
            scale = float(self.state[parts["alpha"]]) / len(down)
        else:
            scale = self.config.scale(layer, len(down)) if self.config else 1.0
        pair = LoraPair(down, up, scale)
        if len(shape) == 2:
            self.pairs[native] = pair
        else:  # a convolution is small here, so that its product serves as well as a second path through it
            self.deltas[f"{native}.weight"] = pair.product().view(shape)
        return scale

    def _place_factors(self, layer: str, native: str, parts: _Parts, keys: Mapping[str, str]) -> None:
        """Puts a LoHa or a LoKr where it belongs."""
        shape = self.shapes.get(f"{native}.weight", ())
        layout = Layout.of({part: tuple(self.state[key].shape) for part, key in keys.items()})
        alpha = self.state[parts["alpha"]] if "alpha" in parts else None
        if isinstance(layout, str):
            reason = layout
        elif any(part in parts for part in ("down", "up", "up_bias")):
            reason = f"the layer has both a pair and a {layout.method}"
        elif layout.shape != shape:
            reason = f"as a {layout.method} it changes {layout.shape}, but the layer is {shape}"
        elif self._is_changed(native):
            reason = f"other keys of the file change {native} already"
        elif alpha is not None and alpha.numel() != 1:
            reason = f"its alpha has the shape {tuple(alpha.shape)}, not that of one number"
        elif alpha is not None and layout.rank and float(alpha) == 0:
            reason = f"its alpha is 0, with which a {layout.method} changes nothing"
        else:
            first, second = (
                tuple(self.state[keys[part]] for part in group) for group in (layout.first, layout.second)
            )
            scale = self._factor_scale(layer, layout.rank, alpha)
            self.factored[native] = FactoredChange(layout.method, first, second, scale)
            return
        self._refuse([*keys.values(), *(parts[part] for part in _OF_PAIR if part in parts)], reason)

    def _factor_scale(self, layer: str, rank: int | None, alpha: Tensor | None) -> float:
        """Alpha over rank; where both matrices are whole, LyCORIS takes alpha for the rank, PEFT that of its settings."""
        if alpha is not None:
            return float(alpha) / rank if rank else 1.0
        rank = rank or (self.config.rank if self.config else 0)
        return self.config.scale(layer, rank) if self.config and rank else 1.0

    def _is_changed(self, native: str) -> bool:
        """Whether keys that came before change the layer's matrix."""
        return native in self.pairs or native in self.factored or f"{native}.weight" in self.deltas

    def _misfit(self, parts: _Parts, shape: tuple[int, ...]) -> str:
        """Why the pair can't be used, as a clause; empty where it can."""
        halves = [self.state[parts[part]] for part in ("down", "up") if part in parts]
        if not halves:
            return "its layer has no pair"
        if len(halves) == 1:
            return "the other half of the pair is missing"
        down, up = halves
        if not _fits(down, up, shape):
            return f"its shapes {tuple(down.shape)} and {tuple(up.shape)} do not fit the layer's {shape}"
        if "alpha" in parts and self.state[parts["alpha"]].numel() != 1:
            return (
                f"its alpha has the shape {tuple(self.state[parts['alpha']].shape)}, not that of one number"
            )
        if "alpha" in parts and float(self.state[parts["alpha"]]) == 0:
            return "its alpha is 0, with which a pair changes nothing"
        return ""

    def _place_delta(self, native: str, parameter: str, key: str, scale: float = 1.0) -> None:
        # A key names the layer of a weight (`norm3.diff`), or a bare parameter itself (`modulation.diff`).
        name = next((name for name in (f"{native}.{parameter}", native) if name in self.shapes), "")
        delta = self.state[key]
        if not name or (name == native and parameter != "weight"):
            self._refuse([key], f"{native} has no {parameter}")
        elif _bare(delta.shape) != _bare(self.shapes[name]):
            self._refuse(
                [key], f"its shape {tuple(delta.shape)} does not fit {name}, which is {self.shapes[name]}"
            )
        elif name in self.deltas or name.removesuffix(".weight") in self.factored:
            self._refuse([key], f"other keys of the file change {name} already")
        else:
            delta = delta.view(self.shapes[name])
            self.deltas[name] = delta if scale == 1 else scale * delta.float()

    def _refuse(self, keys: Iterable[str], reason: str) -> None:
        self.unmatched |= dict.fromkeys(keys, reason)


def _unsupported(method: str) -> str:
    return f"{method} is not supported, only low-rank pairs, LoHa, LoKr and full differences"


def _fits(down: Tensor, up: Tensor, shape: tuple[int, ...]) -> bool:
    """Whether the product of the pair, each half flattened to a matrix, has as many rows and columns as the weight."""
    if min(down.ndim, up.ndim, len(shape)) < 2 or not down.numel() or not up.numel():
        return False
    rows, inner = up.flatten(1).shape
    rank, columns = down.flatten(1).shape
    num_columns = 1
    for size in shape[1:]:
        num_columns *= size
    return (rows, inner, columns) == (shape[0], rank, num_columns)


def _bare(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(size for size in shape if size != 1)
