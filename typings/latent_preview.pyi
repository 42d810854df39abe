from typing import Any

from torch import Tensor

class LatentPreviewer:
    def decode_latent_to_preview_image(self, preview_format: str, x0: Tensor) -> tuple[str, Any, int]: ...

def get_previewer(device: Any, latent_format: Any) -> LatentPreviewer | None: ...
