"""ComfyUI's attention override, as the place where edits replace keys and values of self-attention."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from torch import Tensor

from reelpatch.edits.contract import KeysValues

Override = Callable[..., Tensor]
OVERRIDE = "optimized_attention_override"


class KeysValuesOverride:
    """Calls what stands there, or ComfyUI's own attention, on what `keys_values` makes of keys and values [B, N, H, E].

    A block attends to itself before it attends to anything else: of the calls within `block`, the first is the one.
    """

    def __init__(self, keys_values: KeysValues, standing: Override | None) -> None:
        self._keys_values, self._standing = keys_values, standing
        self._index: int | None = None

    @contextmanager
    def block(self, index: int) -> Generator[None]:
        """Within it, the first attention is that of block `index` to itself."""
        self._index = index
        try:
            yield
        finally:
            self._index = None

    def __call__(
        self, attention: Override, q: Tensor, k: Tensor, v: Tensor, heads: int, *args: Any, **kwargs: Any
    ) -> Tensor:
        index, self._index = self._index, None
        if index is not None:
            has_heads = kwargs.get("skip_reshape", False)  # [B, H, N, E] instead of [B, N, H E]
            rows = [one.transpose(1, 2) if has_heads else one.unflatten(2, (heads, -1)) for one in (k, v)]
            rows = self._keys_values(index, rows[0], rows[1])
            k, v = (one.transpose(1, 2) if has_heads else one.flatten(2) for one in rows)
        if self._standing is not None:
            return self._standing(attention, q, k, v, heads, *args, **kwargs)
        return attention(q, k, v, heads, *args, **kwargs)
