"""What is wrong gets one clear sentence at the node, as a `BadInput` of the engine's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import comfy.ops
import comfy.sd
import folder_paths
import torch
from comfy.ldm.models.autoencoder import AutoencodingEngine
from comfy.ldm.wan.model import WanModel
from comfy.taesd.taehv import TAEHV
from comfy.taesd.taesd import TAESD
from safetensors.torch import save_file
from tiny import (
    FOLDER,
    Vae,
    apply,
    backbone,
    call,
    clip,
    files,
    frames,
    merged,
    module,
    register,
    sample,
    text,
    weights,
)

import nodes

DEMO_MODELS = Path(__file__).parents[3] / "reelpatch" / "headless" / "demo" / "models"


def refused(run: Callable[[], object], *words: str) -> str:
    error = None
    try:
        run()
    except ValueError as caught:
        error = caught
    assert type(error).__name__ == "BadInput", repr(error)
    message = str(error)
    missing = [word for word in words if word not in message]
    assert not missing, f"{missing} not in: {message}"
    assert "\n" not in message
    return message


def written(name: str, state: dict[str, torch.Tensor] | bytes) -> str:
    files()
    path = FOLDER / name
    if isinstance(state, bytes):
        path.write_bytes(state)
    else:
        save_file(state, path)
    register()
    for folder in ("loras", "text_encoders"):
        folder_paths.add_model_folder_path(folder, str(FOLDER))
    folder_paths.filename_list_cache.clear()
    return name


def shipped(folder: str, name: str) -> bytes:
    """One of the demo's files, which come with the pack."""
    return Path(folder_paths.get_full_path_or_raise(folder, name)).read_bytes()


def check_every_loader_refuses_every_other_file_by_what_it_is():
    small_lora = {"diffusion_model.blocks.0.self_attn.q.lora_down.weight": torch.ones(2, 4)}
    small_lora["diffusion_model.blocks.0.self_attn.q.lora_up.weight"] = torch.ones(4, 2)
    whole = {name: path.read_bytes() for name, path in files().items()}
    given = {
        "backbone": (whole["backbone"], "is a Wan text-to-video backbone"),
        "module": (whole["module"], "is a VACE edit module"),
        "lora": (small_lora, "is a LoRA"),
        "vae": (shipped("vae", "reelpatch_demo_vae.safetensors"), "is a Wan2.1 VAE"),
        "umt5": (shipped("text_encoders", "reelpatch_demo_umt5.safetensors"), "is a UMT5 text encoder"),
        "cut": (whole["backbone"][: len(whole["backbone"]) // 2], "cut short"),
        "gguf": (b"GGUF" + b"\0" * 100, "GGUF"),
        "pickle": (b"PK\x03\x04" + b"\0" * 100, "pickle"),
        "nothing": (b"", "not a safetensors file"),
    }
    model = backbone()
    loaders = {
        "ReelpatchLoadBackbone": ("backbone", {"storage": "from file", "compute": "auto"}),
        "ReelpatchLoadEditModule": ("module", {}),
        "ReelpatchLoadLora": ("lora", {"strength": 1.0, "how": "side path", "model": model}),
        "ReelpatchDemoTextEncoder": ("umt5", {}),
    }
    names = {what: written(f"given_{what}.safetensors", data) for what, (data, _) in given.items()}
    return [
        refused(
            lambda node=node, what=what, more=more: call(node, file=names[what], **more), words, names[what]
        )
        for node, (right, more) in loaders.items()
        for what, (_, words) in given.items()
        if what != right
    ]


def check_what_is_no_plain_lora_is_refused_by_name():
    layers = [f"lycoris_blocks_{block}_self_attn_q" for block in range(2)]
    given = {
        "a LoHa with a middle tensor": ("hada_t1", "hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"),
        "a LoKr with a middle tensor": ("lokr_w1", "lokr_t2", "lokr_w2_a", "lokr_w2_b"),
        "a DoRA": ("lora_down.weight", "lora_up.weight", "dora_scale"),
    }
    model = backbone()

    def load(name: str):
        return lambda: call("ReelpatchLoadLora", file=name, strength=1.0, how="side path", model=model)

    return [
        refused(
            load(
                written(
                    f"{what[2:]}.safetensors",
                    {f"{layer}.{part}": torch.ones(4, 4) for layer in layers for part in parts},
                )
            ),
            f"is {what}",
            "not applied here",
        )
        for what, parts in given.items()
    ]


def check_module_that_is_something_else():
    lora = {"diffusion_model.blocks.0.self_attn.q.lora_down.weight": torch.ones(2, 4)}
    vae = {"decoder.head.0.gamma": torch.ones(4), "conv2.weight": torch.ones(16, 16, 1, 1, 1)}
    tensors = {"a full model": files()["backbone"].name, "lora": written("lora_here.safetensors", lora)}
    tensors["vae"] = written("vae_here.safetensors", vae)
    register()

    def load(name: str):
        return lambda: call("ReelpatchLoadEditModule", file=name)

    return [
        refused(load(tensors["a full model"]), "is a Wan text-to-video backbone", "VACE edit module"),
        refused(load(tensors["lora"]), "is a LoRA", "use Load LoRA (any naming) for it"),
        refused(load(tensors["vae"]), "is a Wan2.1 VAE", "put it into models/vae and use Load VAE"),
    ]


def check_files_of_other_types():
    whole = files()["module"].read_bytes()
    register()
    found = {
        "cut.safetensors": (whole[: len(whole) // 2], "cut short"),
        "other.safetensors": (b"GGUF" + b"\0" * 100, "GGUF"),
        "pickle.safetensors": (b"PK\x03\x04" + b"\0" * 100, "pickle"),
        "empty.safetensors": (b"", "not a safetensors file"),
    }
    messages = []
    for name, (data, words) in found.items():
        file = written(name, data)
        messages.append(refused(lambda file=file: call("ReelpatchLoadEditModule", file=file), words, name))
    return messages


def check_module_of_another_width():
    state = {key: tensor for key, tensor in weights().items() if key.startswith("vace_")}
    wide = {}
    for key, tensor in state.items():
        wide[key] = tensor.repeat([2 if size == 128 else 1 for size in tensor.shape])
    path = FOLDER / "wide.safetensors"
    files()
    save_file(wide, path, {"reelpatch.vace_layers": "0,2"})
    register()
    folder_paths.filename_list_cache.clear()
    patch = call("ReelpatchLoadEditModule", file=path.name)[0]
    return refused(lambda: apply(backbone(), patch), "256 wide", "backbone 128")


def _base(name: str, **sizes):
    given = {"in_dim": 16, "out_dim": 16, "model_type": "t2v", **sizes}
    model = WanModel(
        dim=128, ffn_dim=96, num_heads=1, num_layers=4, text_dim=4096, freq_dim=256,
        operations=comfy.ops.disable_weight_init, dtype=torch.float32, **given,
    )  # fmt: skip
    state = {key: torch.zeros_like(tensor) for key, tensor in model.state_dict().items()}
    name = written(name, state)
    return name, comfy.sd.load_diffusion_model(str(FOLDER / name))


def check_bases_that_are_not_text_to_video():
    messages = []
    patch = module()
    for name, sizes, words in (
        ("i2v.safetensors", {"in_dim": 36, "model_type": "i2v"}, "image-to-video"),
        ("5b.safetensors", {"in_dim": 48, "out_dim": 48}, "48-channel"),
    ):
        file, model = _base(name, **sizes)
        messages.append(refused(lambda model=model: apply(model, patch), words, "text-to-video"))
    load = {"file": file, "storage": "from file", "compute": "auto"}
    assert call("ReelpatchLoadBackbone", **load)[0].get_model_object("diffusion_model").in_dim == 48
    messages.append(refused(lambda: apply(merged(), patch), "VACE module merged in", "Load backbone"))
    return messages


def check_clips():
    image = torch.rand(9, 32, 48, 3)
    assert clip(image, frames=20).plan.frames == 9
    assert clip(image[:1]).plan.frames == 1
    assert clip(image[:2]).plan.frames == 5
    assert clip(torch.rand(72, 16, 16, 3)).plan.frames == 73
    assert clip(torch.rand(5, 1, 1, 3)).plan.size == (16, 16)
    nan = image.clone()
    nan[3, 2, 1] = torch.nan
    return [
        refused(lambda: clip(image[:0]), "0 frames"),
        refused(lambda: clip(torch.rand(5, 16, 16, 4)), "(5, 16, 16, 4)", "without alpha"),
        refused(lambda: clip(nan), "NaN"),
        refused(lambda: clip(image, fit="none", width=40, height=32), "40x32", "multiple of 16"),
        refused(lambda: clip(image[:, :, :40], fit="none"), "40x32"),
        refused(lambda: clip(image, first_frame=9), "begin at frame 9"),
        refused(lambda: clip(image, width=64), "width and height"),
        refused(
            lambda: call("ReelpatchClip", fit="pad", width=0, height=0, first_frame=0, frames=0, fps=0.0),
            "nothing",
        ),
    ]


def check_masks():
    model, patch = backbone(), module()
    soft = torch.linspace(0, 1, 48).expand(1, 32, 48)
    for fits in (torch.ones(1, 32, 48), torch.ones(9, 32, 48), soft):
        apply(model, patch, mask=fits)
    return [
        refused(lambda: apply(model, patch, mask=torch.ones(1, 16, 16)), "16x16", "48x32"),
        refused(lambda: apply(model, patch, mask=torch.ones(4, 32, 48)), "4 frames", "9"),
        refused(lambda: apply(model, patch, mask=torch.zeros(1, 32, 48)), "0 everywhere"),
        refused(lambda: apply(model, patch, mask=torch.full((1, 32, 48), torch.nan)), "NaN"),
    ]


def check_numbers():
    model, patch = backbone(), module()
    guider = {"model": model, "positive": text(1), "skip_blocks": "", "skip_start": 0.2, "skip_end": 0.7}
    return [
        refused(lambda: apply(model, patch, strength=float("nan")), "nan"),
        refused(lambda: apply(model, patch, strength=float("inf")), "inf"),
        refused(lambda: apply(model, patch, start=0.8, end=0.2), "0.8", "0.2"),
        refused(
            lambda: call("ReelpatchGuidanceSchedule", **guider, cfg=2.0, steps="", negative=None), "negative"
        ),
        refused(lambda: call("ReelpatchGuidanceSchedule", **guider, cfg=1.0, steps="2-x"), "2-x", "steps"),
    ]


def check_references_of_any_form():
    for size in ((8, 200), (200, 8), (1, 1)):
        apply(backbone(), module(), references=[torch.rand(*size, 3), torch.rand(*size, 4)])
    return refused(lambda: apply(backbone(), module(), references=[torch.rand(8, 8, 2)]), "reference 1")


def check_vae_of_another_family():
    """ComfyUI's own small VAEs of these forms; HunyuanVideo's is as Wan2.1's by every number that it tells."""
    image = {f"taesd_{key}": tensor for key, tensor in TAESD().state_dict().items()}
    wide, hunyuan = comfy.sd.VAE(sd=TAEHV(latent_channels=48).state_dict()), Vae()
    size = {"z_channels": 4, "resolution": 8, "in_channels": 3, "out_ch": 3, "ch": 32, "ch_mult": [1]}
    coder = "comfy.ldm.modules.diffusionmodules.model."
    size |= {"num_res_blocks": 1, "attn_resolutions": [], "dropout": 0.0}
    hunyuan.first_stage_model = AutoencodingEngine(
        encoder_config={"target": f"{coder}Encoder", "params": {**size, "double_z": True}},
        decoder_config={"target": f"{coder}Decoder", "params": size},
        regularizer_config={"target": "comfy.ldm.models.autoencoder.DiagonalGaussianRegularizer"},
    )
    return [
        refused(lambda vae=vae: apply(backbone(), module(), vae=vae), *words, "Wan2.1 VAE")
        for vae, words in (
            (wide, ["video VAE of 48 channels"]),
            (comfy.sd.VAE(sd=image), ["image VAE"]),
            (hunyuan, ["AutoencodingEngine"]),
        )
    ]


def check_edits_of_clips_of_two_sizes():
    model = apply(backbone(), module())[0]
    other = clip(frames(9, (32, 32)))
    return refused(lambda: apply(model, module(), clip=other), "48x32", "32x32")


def check_one_module_with_two_loras_on_one_model():
    patch = module()
    changed = patch.clone()
    changed.add_patches({"vace_blocks.0.after_proj.weight": (torch.ones(128, 128),)}, 1.0)
    model = apply(backbone(), patch)[0]
    return refused(lambda: apply(model, changed), "load the module a second time")


def check_missing_files_say_where_to_get_them():
    found = {}
    for node, file in (
        ("ReelpatchLoadBackbone", "Wan2_1-T2V-14B_fp8_e4m3fn.safetensors"),
        ("ReelpatchLoadEditModule", "ditto_global_comfy.safetensors"),
        ("ReelpatchLoadLora", "Wan21_CausVid_14B_T2V_lora_rank32_v2.safetensors"),
    ):
        said = nodes.NODE_CLASS_MAPPINGS[node].validate_inputs(file=file)
        assert isinstance(said, str), node
        assert "https://huggingface.co/" in said, said
        assert "models/" in said, said
        found[node] = said
    unknown = nodes.NODE_CLASS_MAPPINGS["ReelpatchLoadBackbone"].validate_inputs(file="nothing.safetensors")
    assert "models/diffusion_models" in unknown
    assert nodes.NODE_CLASS_MAPPINGS["ReelpatchLoadEditModule"].validate_inputs(
        file=Path(files()["module"]).name
    )
    return found


def check_a_transformer_compiled_whole():
    def compiled(model):
        return call("TorchCompileModel", model=model, backend="inductor")[0]

    after, before = compiled(apply(backbone(), module())[0]), apply(compiled(backbone()), module())[0]
    for model in (after, before):
        refused(lambda model=model: sample(model), "TorchCompileModel", "edits work between its blocks")


def check_the_demo_names_words_that_it_does_not_know():
    name = "reelpatch_demo_umt5.safetensors"
    own = (DEMO_MODELS / "text_encoders" / name).read_bytes()  # not the tiny one that has its name here
    words = call("ReelpatchDemoTextEncoder", file=written(f"own_{name}", own))[0]
    plain, marked = (
        call("CLIPTextEncode", clip=words, text=said)[0][0][0] for said in ("make it sepia", "Make it Sepia!")
    )
    assert torch.equal(plain, marked), "case and punctuation are no words"
    return [
        refused(lambda said=said: call("CLIPTextEncode", clip=words, text=said), f"'{word}'", "; it knows ")
        for said, word in (
            ("make the circle a dragon", "dragon"),
            ("把圆形变成蓝色", "把圆形变成蓝色"),
            ("make it (zebra:1.3)", "zebra"),
        )
    ]


def check_an_empty_instruction():
    """An edit needs words; a negative prompt, and what enhances, do without."""
    words = call("ReelpatchDemoTextEncoder", file="reelpatch_demo_umt5.safetensors")[0]
    empty, full = (call("CLIPTextEncode", clip=words, text=said)[0] for said in (" ", "make it sepia"))
    given = {"cfg": 1.0, "steps": "", "skip_blocks": "", "skip_start": 0.2, "skip_end": 0.7}

    def guider(model, positive, negative):
        return call("ReelpatchGuidanceSchedule", model=model, positive=positive, negative=negative, **given)

    edited = apply(backbone(), module())[0]
    guider(edited, full, empty)
    guider(backbone(), empty, empty)
    return refused(
        lambda: guider(edited, empty, full), "the instruction is empty", "make the red circle blue"
    )


def check_a_sentence_names_the_inputs_of_its_node():
    unfit = frames(num_frames=8)
    said = refused(lambda: clip(unfit, fit="none"), "the model works on")
    assert said.endswith("(on the node: fit)."), said
    return said
