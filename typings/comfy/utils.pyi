from typing import Literal, overload

from torch import Tensor

@overload
def load_torch_file(ckpt: str, safe_load: bool = ...) -> dict[str, Tensor]: ...
@overload
def load_torch_file(
    ckpt: str, safe_load: bool = ..., *, return_metadata: Literal[True]
) -> tuple[dict[str, Tensor], dict[str, str] | None]: ...

PROGRESS_BAR_ENABLED: bool

class ProgressBar:
    def __init__(self, total: int) -> None: ...
    def update(self, value: int) -> None: ...
    def update_absolute(self, value: int, total: int | None = ..., preview: object = ...) -> None: ...
