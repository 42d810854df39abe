from fractions import Fraction
from typing import Any

from comfy_api.latest import io as io
from comfy_api.latest import ui as ui
from torch import Tensor

class ComfyExtension:
    async def on_load(self) -> None: ...
    async def get_node_list(self) -> list[type[io.ComfyNode]]: ...

class InputImpl:
    class VideoFromFile:
        def __init__(self, file: str) -> None: ...
        def get_stream_source(self) -> object: ...
        def get_active_trim_window(self) -> tuple[float, float]: ...
        def save_to(self, path: Any, *how: Any, **options: Any) -> None: ...

    class VideoFromComponents:
        def __init__(self, components: Types.VideoComponents) -> None: ...
        def save_to(self, path: Any, *how: Any, **options: Any) -> None: ...

class Types:
    class VideoCodec:
        H264: Types.VideoCodec

    class VideoContainer:
        MP4: Types.VideoContainer

    class VideoComponents:
        images: Tensor
        frame_rate: Fraction
        def __init__(self, images: Tensor, frame_rate: Fraction, audio: Any = ...) -> None: ...
