from collections.abc import Callable, Sequence
from typing import Any, Self

class WrappersMP:
    APPLY_MODEL: str
    CALC_COND_BATCH: str
    DIFFUSION_MODEL: str
    PREPARE_SAMPLING: str

class PatcherInjection:
    def __init__(self, inject: Callable[[Any], None], eject: Callable[[Any], None]) -> None: ...

class WrapperExecutor:
    @classmethod
    def new_class_executor(
        cls, original: Callable[..., Any], class_obj: object, wrappers: Sequence[Callable[..., Any]]
    ) -> Self: ...
    def execute(self, *args: Any, **kwargs: Any) -> Any: ...
