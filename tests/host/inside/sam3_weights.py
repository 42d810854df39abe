"""Writes a checkpoint of SAM 3.1 with random weights: every key and shape of the published one, as ComfyUI's own classes have them.

    ~/comfy/ComfyUI/.venv/bin/python tests/host/inside/sam3_weights.py FILE     (with PYTHONPATH=~/comfy/ComfyUI; 1.7 GB)

It finds whatever `FOUND` names, somewhere, and never what `NOT_FOUND` names: scores are of the words alone.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

FOUND, NOT_FOUND = "man", "dragon"
_TEXT = "detector.backbone.language_backbone."
_BLOCK = {
    **{"layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj"},
    "self_attn.out_proj": "attn.out_proj",
}
_AROUND = {
    "embeddings.token_embedding.weight": "token_embedding.weight",
    "embeddings.position_embedding.weight": "positional_embedding",
    "final_layer_norm.weight": "ln_final.weight",
    "final_layer_norm.bias": "ln_final.bias",
}
_SCORE = 4.0  # the logit of a word that is found; of the other it is the opposite


def main(path: str) -> None:
    sys.argv = [*sys.argv[:1], "--cpu"]
    import comfy.options

    comfy.options.enable_args_parsing()
    import comfy.ops
    import torch
    from comfy.ldm.sam3.detector import SAM3Model
    from comfy.text_encoders.sam3_clip import SAM3ClipModelWrapper
    from safetensors.torch import save_file

    torch.manual_seed(0)
    with torch.no_grad():
        operations = comfy.ops.disable_weight_init
        model = SAM3Model(image_model="SAM31", device="meta", dtype=torch.float16, operations=operations)
        eyes = {key: _random(key, tensor) for key, tensor in model.state_dict().items()}
        reader = SAM3ClipModelWrapper(device="cpu", dtype=torch.float32)
        words = {key: _random(key, tensor) for key, tensor in reader.state_dict().items()}
        reader.load_state_dict({key: tensor.float() for key, tensor in words.items()})
        _score_by_words(eyes, reader)
        saved = {**dict(_published(eyes)), **dict(_published_words(words))}
        save_file({key: tensor.half().contiguous() for key, tensor in saved.items()}, path)


def _random(key, like):
    """As large as keeps values as they are, row by row; norms and biases do nothing."""
    import torch

    if like.ndim < 2:
        return torch.zeros(like.shape) if key.endswith("bias") else torch.ones(like.shape)
    is_table = "embed" in key or "token" in key
    return torch.randn(like.shape) / (like.shape[-1] if is_table else like[0].numel()) ** 0.5


def _score_by_words(eyes, reader) -> None:
    """Every place of the picture scores alike: by how near what is named is to `FOUND` and to `NOT_FOUND`."""
    import torch
    from comfy.text_encoders.sam3_clip import SAM3TokenizerWrapper

    head = "detector.dot_prod_scoring."
    silent = ("prompt_mlp.layers.1.weight", "hs_proj.weight", "prompt_proj.weight")
    for key in ("detector.geometry_encoder.encode_norm.weight", *(head + name for name in silent)):
        eyes[key].zero_()

    def pooled(word):
        tokens = SAM3TokenizerWrapper().tokenize_with_weights(word)
        embedded, _, more = reader.encode_token_weights(tokens)
        seen = more["attention_mask"][0, :, None].float()
        text = embedded[0].float() @ eyes[_TEXT + "resizer.weight"].T
        normed = torch.nn.functional.layer_norm(text, text.shape[-1:])
        return (normed * seen).sum(0) / (seen.sum() + 1)  # one more token, of the picture, is silent

    one, other = pooled(FOUND), pooled(NOT_FOUND)
    way = (one - other) / (one - other).square().sum()
    width = len(way)
    eyes[head + "hs_proj.bias"][0] = width**0.5
    eyes[head + "prompt_proj.weight"][0] = way * 2 * _SCORE
    eyes[head + "prompt_proj.bias"][0] = -_SCORE * ((one + other) @ way)


def _published(eyes) -> Iterator[tuple]:
    """By the published names: the tracker's in a model of its own, and queries, keys and values of the detector in one."""
    import torch

    for key, tensor in eyes.items():
        name = key.replace("tracker.", "tracker.model.", 1) if key.startswith("tracker.") else key
        if "sam_mask_decoder.transformer." in name:
            for ours, theirs in (
                (".mlp.0.", ".mlp.lin1."),
                (".mlp.2.", ".mlp.lin2."),
                (".norm_final.", ".norm_final_attn."),
            ):
                name = name.replace(ours, theirs)
        if (
            not key.startswith("detector.")
            or "_proj." not in key
            or key[key.rindex("_proj.") - 1] not in "qkv"
        ):
            yield name, tensor
        elif ".q_proj." in key:
            every = [eyes[key.replace(".q_proj.", f".{one}_proj.")] for one in "qkv"]
            yield name.replace(".q_proj.", ".in_proj_"), torch.cat(every)


def _published_words(words) -> Iterator[tuple]:
    import torch

    start = "sam3_clip.transformer."
    ours = {key.removeprefix(start): tensor for key, tensor in words.items() if key.startswith(start)}
    yield _TEXT + "encoder.text_projection", ours.pop("text_projection.weight").T
    for key, tensor in ours.items():
        name = key.removeprefix("text_model.")
        if name in _AROUND:
            yield f"{_TEXT}encoder.{_AROUND[name]}", tensor
            continue
        _, _, number, rest = name.split(".", 3)
        stem, kind = rest.rsplit(".", 1)
        block = f"{_TEXT}encoder.transformer.resblocks.{number}."
        if stem in _BLOCK:
            yield f"{block}{_BLOCK[stem]}.{kind}", tensor
        elif stem == "self_attn.q_proj":
            every = [ours[key.replace(".q_proj.", f".{one}_proj.")] for one in "qkv"]
            yield f"{block}attn.in_proj_{kind}", torch.cat(every)


if __name__ == "__main__":
    main(sys.argv[1])
