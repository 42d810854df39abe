from abc import ABC, abstractmethod
from collections.abc import Sequence
from enum import Enum
from typing import Any

class Hidden(Enum):
    unique_id = ...
    prompt = ...
    extra_pnginfo = ...

class FolderType(Enum):
    output = ...

class HiddenHolder:
    unique_id: str | None
    prompt: dict[str, Any] | None
    extra_pnginfo: dict[str, Any] | None

class _Input:
    id: str
    tooltip: str | None
    def __init__(
        self,
        id: str,
        *,
        display_name: str | None = ...,
        optional: bool = ...,
        tooltip: str | None = ...,
        advanced: bool | None = ...,
    ) -> None: ...

class _Output:
    def __init__(
        self, *, display_name: str | None = ..., tooltip: str | None = ..., is_output_list: bool = ...
    ) -> None: ...

Input = _Input
Output = _Output

class _Widget(_Input):
    def __init__(
        self,
        id: str,
        *,
        default: Any = ...,
        optional: bool = ...,
        tooltip: str | None = ...,
        advanced: bool | None = ...,
    ) -> None: ...

class _Number(_Widget):
    def __init__(
        self,
        id: str,
        *,
        default: float = ...,
        min: float = ...,
        max: float = ...,
        step: float = ...,
        optional: bool = ...,
        tooltip: str | None = ...,
        advanced: bool | None = ...,
    ) -> None: ...

class _Socket:
    class Input(_Input): ...
    class Output(_Output): ...

class Boolean(_Socket):
    class Input(_Widget): ...

class String(_Socket):
    class Input(_Widget):
        def __init__(
            self,
            id: str,
            *,
            default: str = ...,
            multiline: bool = ...,
            force_input: bool | None = ...,
            optional: bool = ...,
            tooltip: str | None = ...,
            extra_dict: dict[str, Any] | None = ...,
            advanced: bool | None = ...,
        ) -> None: ...

class Int(_Socket):
    class Input(_Number): ...

class Float(_Socket):
    class Input(_Number):
        def __init__(
            self,
            id: str,
            *,
            default: float = ...,
            min: float = ...,
            max: float = ...,
            step: float = ...,
            round: float = ...,
            optional: bool = ...,
            tooltip: str | None = ...,
            advanced: bool | None = ...,
        ) -> None: ...

class Combo(_Socket):
    class Input(_Widget):
        def __init__(
            self,
            id: str,
            options: Sequence[str],
            *,
            default: str = ...,
            optional: bool = ...,
            tooltip: str | None = ...,
            advanced: bool | None = ...,
        ) -> None: ...

class Clip(_Socket): ...
class ClipVision(_Socket): ...
class Conditioning(_Socket): ...
class Guider(_Socket): ...
class Image(_Socket): ...
class Latent(_Socket): ...
class Mask(_Socket): ...
class Model(_Socket): ...
class ModelPatch(_Socket): ...
class Sampler(_Socket): ...
class Sigmas(_Socket): ...
class Vae(_Socket): ...
class Video(_Socket): ...

def Custom(io_type: str) -> type[_Socket]: ...  # noqa: N802 -- ComfyUI's name

class Autogrow:
    class TemplatePrefix:
        def __init__(self, input: _Input, prefix: str, min: int, max: int) -> None: ...

    class Input(_Input):
        def __init__(self, id: str, template: Autogrow.TemplatePrefix) -> None: ...

class MultiType:
    class Input(_Input):
        def __init__(
            self, id: str, types: Sequence[type[_Socket]], *, optional: bool = ..., tooltip: str | None = ...
        ) -> None: ...

class DynamicCombo:
    class Option:
        def __init__(self, key: str, inputs: Sequence[_Input]) -> None: ...

    class Input(_Input):
        def __init__(
            self, id: str, options: Sequence[DynamicCombo.Option], *, tooltip: str | None = ...
        ) -> None: ...

class Schema:
    inputs: list[_Input]
    def __init__(
        self,
        node_id: str,
        *,
        display_name: str,
        category: str,
        description: str,
        search_aliases: list[str] = ...,
        inputs: Sequence[_Input] = ...,
        outputs: Sequence[_Output] = ...,
        hidden: Sequence[Hidden] = ...,
        is_output_node: bool = ...,
        is_input_list: bool = ...,
    ) -> None: ...

class NodeOutput:
    def __init__(self, *args: Any, ui: Any = ...) -> None: ...

class ComfyNode(ABC):
    hidden: HiddenHolder | None
    @classmethod
    @abstractmethod
    def define_schema(cls) -> Schema: ...
