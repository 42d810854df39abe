"""Edit modules in scaled fp8 against core and against their widened weights; LoRAs beside weights in fp8 and int8."""

from __future__ import annotations

import json

import comfy.sd
import folder_paths
import torch
from parity import compared
from safetensors.torch import load_file, save_file
from tiny import FOLDER, NUM_LAYERS, apply, backbone, call, difference, files, register, sample, weights

from reelpatch.weights.float8 import widened

E4M3, E5M2 = torch.float8_e4m3fn, torch.float8_e5m2
OLDER, NEWER = "older", "newer"


def written(name: str, style: str, dtype: torch.dtype = E4M3, *, by_row: bool = False) -> str:
    """The merged model, its backbone or its module with its matrices in scaled fp8; the file's name."""
    state = {}
    for key, tensor in weights().items():
        if (
            key.startswith("vace_")
            if name == "backbone"
            else name == "module" and not key.startswith("vace_")
        ):
            continue
        if tensor.ndim != 2 or "blocks." not in key or "norm" in key:
            state[key] = tensor.to(torch.bfloat16)
            continue
        peak = tensor.abs().amax(1, keepdim=True) if by_row else tensor.abs().max()
        factor, layer = peak / torch.finfo(dtype).max, key.removesuffix(".weight")
        state[key] = (tensor / factor).to(dtype)
        if style == OLDER:
            state |= {f"{layer}.scale_weight": factor.reshape(-1), "scaled_fp8": torch.zeros(2, dtype=dtype)}
        else:
            note = json.dumps({"format": str(dtype).removeprefix("torch.")}).encode()
            state |= {f"{layer}.weight_scale": factor}
            state |= {f"{layer}.comfy_quant": torch.tensor(list(note), dtype=torch.uint8)}
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"scaled_{name}_{style}_{str(dtype)[-4:]}_{by_row}.safetensors"
    save_file(state, path, {"reelpatch.vace_layers": "0,2"} if name == "module" else None)
    register()
    return path.name


def module(*args, **options):
    return call("ReelpatchLoadEditModule", file=written("module", *args, **options))[0]


def _as_core(style: str) -> dict:
    base, whole = (
        comfy.sd.load_diffusion_model(str(FOLDER / written(name, style))) for name in ("backbone", "merged")
    )
    return compared(base, module(style), whole)


def check_the_older_style_equals_core():
    return _as_core(OLDER)


def check_the_newer_style_equals_core():
    return _as_core(NEWER)


def check_the_module_of_a_scaled_merged_checkpoint_is_the_module():
    taken = call("ReelpatchLoadEditModule", file=written("merged", NEWER))[0]
    results = [sample(apply(backbone(), patch)[0]) for patch in (taken, module(NEWER))]
    assert difference(*results) == 0


def _widened(name: str) -> str:
    """The same module with every factor multiplied in, in fp32."""
    state = load_file(FOLDER / name)
    wide = {
        key: widened(tensor, state.get(f"{key}_scale"), torch.float32)
        for key, tensor in state.items()
        if not key.endswith((".weight_scale", ".comfy_quant"))
    }
    save_file(wide, FOLDER / f"wide_{name}", {"reelpatch.vace_layers": "0,2"})
    return f"wide_{name}"


def _as_widened(dtype: torch.dtype, *, by_row: bool) -> dict:
    name = written("module", NEWER, dtype, by_row=by_row)
    made, wide = (call("ReelpatchLoadEditModule", file=one)[0] for one in (name, _widened(name)))
    assert not any(tensor.is_meta for tensor in made.model.state_dict().values())
    results = [sample(apply(backbone(), patch)[0]) for patch in (made, wide)]
    found, size = difference(*results), float(results[1].abs().max())
    assert found <= 0.02 * size, (found, size)  # a weight times its factor is rounded to bf16
    return {"max_abs_diff": found, "max_abs": size}


def check_fp8_e5m2_is_what_it_stands_for():
    return _as_widened(E5M2, by_row=False)


def check_a_factor_for_each_row():
    return _as_widened(E4M3, by_row=True)


def check_weights_stay_fp8_and_a_lora_leaves_them_as_they_are():
    patch = module(NEWER)
    layer = patch.model.vace_blocks[0].self_attn.q
    stored = layer.weight._qdata
    assert stored.dtype == E4M3
    before, bits = sample(apply(backbone(), patch)[0]), stored.view(torch.uint8).clone()
    generator = torch.Generator().manual_seed(9)
    lora = {
        "vace_blocks.0.self_attn.q.lora_A.weight": torch.randn(4, 128, generator=generator) * 0.2,
        "vace_blocks.0.self_attn.q.lora_B.weight": torch.randn(128, 4, generator=generator) * 0.2,
    }
    folder_paths.add_model_folder_path("loras", str(FOLDER))
    save_file(lora, FOLDER / "lora_of_scaled.safetensors")
    results = []
    for how in ("side path", "merged"):
        _, changed, _ = call(
            "ReelpatchLoadLora",
            file="lora_of_scaled.safetensors",
            strength=1.0,
            how=how,
            edit_module=patch,
        )
        results.append(sample(apply(backbone(), changed)[0]))
        assert difference(results[-1], before) > 1e-3
        assert difference(sample(apply(backbone(), patch)[0]), before) == 0
    assert torch.equal(patch.model.vace_blocks[0].self_attn.q.weight._qdata.view(torch.uint8), bits)
    return {"merged_differs_from_side_path": difference(*results)}


def _int8_backbone() -> str:
    """The backbone with the second matrix of every feed-forward in int8, one factor each."""
    state = load_file(files()["backbone"])
    for block in range(NUM_LAYERS):
        layer = f"blocks.{block}.ffn.2"
        wide = state[f"{layer}.weight"].float()
        factor = wide.abs().max() / 127
        state[f"{layer}.weight"] = (wide / factor).round().to(torch.int8)
        state[f"{layer}.weight_scale"] = factor
        note = json.dumps({"format": "int8_tensorwise"}).encode()
        state[f"{layer}.comfy_quant"] = torch.tensor(list(note), dtype=torch.uint8)
    save_file(state, FOLDER / "int8.safetensors")
    return "int8.safetensors"


def check_a_lora_reaches_int8_layers_past_which_core_folds_the_activation():
    generator = torch.Generator().manual_seed(10)
    lora = {}
    for block in range(NUM_LAYERS):
        rows, columns = weights()[f"blocks.{block}.ffn.2.weight"].shape
        name = f"diffusion_model.blocks.{block}.ffn.2"
        lora[f"{name}.lora_A.weight"] = torch.randn(4, columns, generator=generator) * 0.2
        lora[f"{name}.lora_B.weight"] = torch.randn(rows, 4, generator=generator) * 0.2
    base = comfy.sd.load_diffusion_model(str(FOLDER / _int8_backbone()))
    save_file(lora, FOLDER / "lora_of_ffn.safetensors")
    folder_paths.add_model_folder_path("loras", str(FOLDER))
    folder_paths.filename_list_cache.clear()
    layer = base.model.diffusion_model.blocks[0].ffn[2]
    bits, before = layer.weight._qdata.clone(), sample(base)
    assert bits.dtype == torch.int8

    def changed(model):
        given = {"file": "lora_of_ffn.safetensors", "strength": 1.0, "how": "side path", "model": model}
        return sample(call("ReelpatchLoadLora", **given)[0])

    beside, of_bf16 = changed(base), changed(backbone())
    found, effect = difference(beside, of_bf16), difference(beside, before)
    assert effect > 0.5, "the LoRA does nothing"
    assert found < 0.1 * effect, (found, effect)
    assert difference(sample(base), before) == 0
    assert torch.equal(layer.weight._qdata, bits)
    return {"int8_against_bf16": found, "effect": effect}
