"""Demo text encoder: the shipped UMT5 of two layers as a CLIP of ComfyUI's, made of core's own parts.

Core's CLIP loader knows UMT5 by the sizes of the XXL model alone. The demo's rows are 64 wide and stand in the first
64 of Wan's 4096 columns.
"""

from pathlib import Path
from typing import Any

import comfy.sd
import comfy.sd1_clip
import comfy.text_encoders.t5
import folder_paths
import torch.nn.functional as F
from comfy.supported_models_base import ClipTarget
from comfy_api.latest import io
from safetensors import safe_open
from tokenizers import Tokenizer
from torch import Tensor

from reelpatch.errors import BadInput
from reelpatch.families.wan.names import umt5_wan_to_hf
from reelpatch.weights.closed_vocabulary import ClosedVocabulary
from reelpatch.weights.header import Kind, KnownFile

from .files import chosen_file, listed, missing_or_true
from .instruction import EMPTY_KEY

FOLDER = "text_encoders"
DEMO_FILE = "reelpatch_demo_umt5.safetensors"
TOKENIZER_KEY = "tokenizer_json"
NAME = "umt5demo"
PAD, END = 0, 1  # the ids of padding and of the end of text, UMT5's
TEXT_ROWS, TEXT_WIDTH = 512, 4096  # what a Wan backbone reads


class DemoTextEncoder(io.ComfyNode):
    """For the demo's files only; the true ones load with Load CLIP, type wan."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ReelpatchDemoTextEncoder",
            display_name="Demo text encoder",
            category="reelpatch/loaders",
            description=(
                "Loads the tiny text encoder that comes with Reelpatch, for the demo backbone. For real Wan models use "
                "Load CLIP with type wan."
            ),
            inputs=[
                io.Combo.Input(
                    "file",
                    options=listed(FOLDER),
                    default=DEMO_FILE,
                    tooltip=f"{DEMO_FILE}, which comes with Reelpatch.",
                )
            ],
            outputs=[io.Clip.Output(tooltip="For CLIP Text Encode.")],
        )

    @classmethod
    def validate_inputs(cls, file: object = "") -> bool | str:
        return missing_or_true(FOLDER, file)

    @classmethod
    def execute(cls, file: str) -> io.NodeOutput:
        path = Path(folder_paths.get_full_path_or_raise(FOLDER, file))
        known = chosen_file(path, Kind.UMT5)
        if TOKENIZER_KEY not in known.metadata:
            raise BadInput(
                f"{path} has no tokenizer in it, so it is not the demo's: use Load CLIP with type wan."
            )
        return io.NodeOutput(load_text_encoder(known))


def load_text_encoder(file: KnownFile) -> comfy.sd.CLIP:
    """A CLIP of a UMT5 of any size that has its tokenizer in its metadata."""
    config = _config(file)

    class Encoder(comfy.sd1_clip.SDClipModel):
        def __init__(
            self, device: Any = "cpu", dtype: Any = None, model_options: Any = None, **_: Any
        ) -> None:
            super().__init__(
                device=device,
                layer="last",
                textmodel_json_config=config,
                dtype=dtype,
                special_tokens={"end": END, "pad": PAD},
                model_class=comfy.text_encoders.t5.T5,
                enable_attention_masks=True,
                zero_out_masked=True,
                model_options=model_options or {},
            )

        def forward(self, tokens: Any) -> tuple[Tensor, ...]:
            rows, *others = super().forward(tokens)
            return (F.pad(rows, (0, TEXT_WIDTH - rows.shape[-1])), *others)

    class Model(comfy.sd1_clip.SD1ClipModel):
        def __init__(self, device: Any = "cpu", dtype: Any = None, model_options: Any = None) -> None:
            super().__init__(
                device=device, dtype=dtype, model_options=model_options or {}, name=NAME, clip_model=Encoder
            )

        def encode_token_weights(self, token_weight_pairs: Any) -> tuple[Any, ...]:
            """The rows, and in the conditioning whether there was no word at all: what edits is not to be empty."""
            rows, pooled, *others = super().encode_token_weights(token_weight_pairs)
            ids = {token for batch in token_weight_pairs[NAME] for token, *_ in batch}
            return rows, pooled, {**(others[0] if others else {}), EMPTY_KEY: ids <= {PAD, END}}

    class Words(comfy.sd1_clip.SD1Tokenizer):
        def __init__(self, embedding_directory: Any = None, tokenizer_data: Any = None) -> None:
            super().__init__(embedding_directory, tokenizer_data or {}, clip_name=NAME, tokenizer=_Words)

    target = ClipTarget(Words, Model)
    with safe_open(file.path, framework="pt") as tensors:
        state = {umt5_wan_to_hf(name): tensors.get_tensor(key) for name, key in file.keys.items()}
    return comfy.sd.CLIP(
        target,
        tokenizer_data={TOKENIZER_KEY: file.metadata[TOKENIZER_KEY]},
        parameters=sum(tensor.numel() for tensor in state.values()),
        state_dict=[state],
    )


class _Words(comfy.sd1_clip.SDTokenizer):
    """The file's own tokenizer, as core's tokenizers are called."""

    def __init__(self, embedding_directory: Any = None, tokenizer_data: Any = None) -> None:
        data = tokenizer_data or {}
        super().__init__(
            data[TOKENIZER_KEY],
            pad_with_end=False,
            embedding_directory=embedding_directory,
            embedding_size=TEXT_WIDTH,
            embedding_key=NAME,
            tokenizer_class=_FromJson,
            has_start_token=False,
            pad_to_max_length=False,
            max_length=TEXT_ROWS,
            min_length=TEXT_ROWS,
            pad_token=PAD,
            tokenizer_data=data,
        )


class _FromJson:
    """A `tokenizers` tokenizer in the form that core's `SDTokenizer` calls."""

    def __init__(self, text: str) -> None:
        self._tokenizer = Tokenizer.from_str(text)
        self._closed = ClosedVocabulary.of(text)

    @classmethod
    def from_pretrained(cls, text: str) -> "_FromJson":
        return cls(text)

    def __call__(self, text: str) -> dict[str, list[int]]:
        ids = self._tokenizer.encode(self._closed.known(text) if self._closed else text).ids
        return {"input_ids": ids if ids[-1:] == [END] else [*ids, END]}

    def get_vocab(self) -> dict[str, int]:
        return self._tokenizer.get_vocab()

    def decode(self, ids: list[int], skip_special_tokens: bool = False) -> str:
        return self._tokenizer.decode(ids, skip_special_tokens=skip_special_tokens)


def _config(file: KnownFile) -> dict[str, Any]:
    """The sizes, in the words of core's T5."""
    vocab_size, width = file.shape("token_embedding.weight")
    num_heads = file.shape("blocks.0.pos_embedding.embedding.weight")[1]
    return {
        "model_type": "umt5",
        "dense_act_fn": "gelu_pytorch_tanh",
        "is_gated_act": True,
        "vocab_size": vocab_size,
        "d_model": width,
        "d_ff": file.shape("blocks.0.ffn.fc1.weight")[0],
        "d_kv": file.shape("blocks.0.attn.q.weight")[0] // num_heads,
        "num_heads": num_heads,
        "num_layers": file.count("blocks"),
    }
