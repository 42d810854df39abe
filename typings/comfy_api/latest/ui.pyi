from collections.abc import Sequence
from typing import Any

from comfy_api.latest import io
from torch import Tensor

class PreviewImage:
    def __init__(self, image: Tensor, *, cls: type[io.ComfyNode]) -> None: ...
    def as_dict(self) -> dict[str, Any]: ...

class PreviewText:
    def __init__(self, value: str) -> None: ...

class SavedResult:
    def __init__(self, filename: str, subfolder: str, type: io.FolderType) -> None: ...

class PreviewVideo:
    def __init__(self, values: Sequence[SavedResult]) -> None: ...
