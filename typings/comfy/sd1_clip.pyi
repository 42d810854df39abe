from typing import Any

from torch import Tensor, nn

class SDClipModel(nn.Module):
    def __init__(
        self,
        *,
        device: Any,
        layer: str,
        textmodel_json_config: dict[str, Any],
        dtype: Any,
        special_tokens: dict[str, int],
        model_class: type[nn.Module],
        enable_attention_masks: bool,
        zero_out_masked: bool,
        model_options: dict[str, Any],
    ) -> None: ...
    def forward(self, tokens: Any) -> tuple[Tensor, ...]: ...

class SD1ClipModel(nn.Module):
    def __init__(
        self,
        *,
        device: Any,
        dtype: Any,
        model_options: dict[str, Any],
        name: str,
        clip_model: type[nn.Module],
    ) -> None: ...
    def encode_token_weights(self, token_weight_pairs: Any) -> tuple[Any, ...]: ...

class SDTokenizer:
    def __init__(
        self,
        tokenizer_path: str,
        *,
        pad_with_end: bool,
        embedding_directory: Any,
        embedding_size: int,
        embedding_key: str,
        tokenizer_class: type[Any],
        has_start_token: bool,
        pad_to_max_length: bool,
        max_length: int,
        min_length: int,
        pad_token: int,
        tokenizer_data: dict[str, Any],
    ) -> None: ...

class SD1Tokenizer:
    def __init__(
        self,
        embedding_directory: Any,
        tokenizer_data: dict[str, Any],
        *,
        clip_name: str,
        tokenizer: type[SDTokenizer],
    ) -> None: ...
