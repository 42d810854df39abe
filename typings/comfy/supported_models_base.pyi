from typing import Any

class ClipTarget:
    def __init__(self, tokenizer: type[Any], clip: type[Any]) -> None: ...
