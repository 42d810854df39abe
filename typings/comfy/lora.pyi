from collections.abc import Mapping
from typing import Any

def load_lora(lora: Mapping[str, Any], to_load: Mapping[str, str]) -> dict[str, Any]: ...
