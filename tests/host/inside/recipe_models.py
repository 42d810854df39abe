"""Load models of a recipe loads what the loaders one by one load, and says what is missing."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from tiny import apply, call, difference, files, register, sample

import nodes

DITTO = {
    "backbone": "Wan2_1-T2V-14B_fp8_e4m3fn.safetensors",
    "edit_module": "ditto_global_comfy.safetensors",
    "lora": "Wan21_CausVid_14B_T2V_lora_rank32_v2.safetensors",
    "vae": "Wan2_1_VAE_bf16.safetensors",
    "text_encoder": "umt5_xxl_fp8_e4m3fn_scaled.safetensors",
}


def node(name: str) -> Any:
    return nodes.NODE_CLASS_MAPPINGS[name]


def chosen(recipe: str, **typed: str) -> dict[str, Any]:
    """The files that a recipe is loaded from, by widget."""
    module = sys.modules[node("ReelpatchLoadModels").__module__]
    return {one.widget: one for one in module.choose_files(module.RECIPES[recipe], typed)}


def check_the_demo_is_what_the_loaders_one_by_one_make():
    model, module, vae, encoder = call("ReelpatchLoadModels", recipe="demo")
    paths = {widget: one.path.name for widget, one in chosen("demo").items()}
    plain = call("ReelpatchLoadBackbone", file=paths["backbone"], storage="from file", compute="auto")[0]
    patch = call("ReelpatchLoadEditModule", file=paths["edit_module"])[0]
    plain_edit = sample(apply(plain, patch)[0])
    one_by_one = call(
        "ReelpatchLoadLora", file=paths["lora"], strength=1.0, how="side path", model=plain, edit_module=patch
    )
    edit = sample(apply(model, module)[0])
    assert difference(edit, sample(apply(*one_by_one[:2])[0])) == 0
    assert difference(edit, plain_edit) > 0  # the recipe's LoRA is on it
    assert vae.latent_channels == 16
    assert encoder.encode_from_tokens(encoder.tokenize("make it sepia")).shape[-1] == 4096


def check_files_of_another_recipe_give_way_to_the_chosen_one_s():
    assert {one.path for one in chosen("demo", **DITTO).values()} == {
        one.path for one in chosen("demo").values()
    }


def check_a_file_of_one_s_own_takes_the_place_of_the_recipe_s():
    register()
    own = files()["backbone"].name
    found = chosen("demo", backbone=own)["backbone"]
    assert (found.path.name, found.is_own) == (own, True)
    told = node("ReelpatchLoadModels").validate_inputs(recipe="demo", vae="never.safetensors")
    assert "vae: 'never.safetensors' is not in models/vae" in told


def check_every_missing_file_is_named_with_where_to_get_it():
    told = node("ReelpatchLoadModels").validate_inputs(recipe="ditto-global")
    assert "missing for the recipe 'ditto-global'" in told
    for widget in ("backbone", "edit_module"):
        assert DITTO[widget] in told, told
    assert "https://huggingface.co/QingyanBai/Ditto_models" in told
    told = node("ReelpatchLoadModels").validate_inputs(recipe="easyv2v")
    assert "EasyV2V's authors published no weights: train an edit adapter" in told, told
    assert "wan2.2_ti2v_5B_fp16.safetensors" in told, told
    assert "with Convert weights" in node("ReelpatchLoadModels").validate_inputs(recipe="vdot")
    assert node("ReelpatchLoadModels").validate_inputs(recipe="demo") is True


def check_each_loader_takes_the_recipes_of_its_kind():
    assert "is no recipe that this node loads" in node("ReelpatchLoadModels").validate_inputs(
        recipe="enhance"
    )
    assert "is no recipe that this node loads" in node("ReelpatchLoadEnhancer").validate_inputs(recipe="demo")
    assert node("ReelpatchLoadEnhancer").validate_inputs(recipe="demo-enhance") is True
    assert len(call("ReelpatchLoadEnhancer", recipe="demo-enhance")) == 3


def check_a_strength_that_is_typed_overrides_the_recipe_s():
    given = {"recipe": "ditto-global", "steps": 0, "shift": 0.0, "cfg": 0.0}
    assert call("ReelpatchRecipe", **given)[4] == 0.975
    assert call("ReelpatchRecipe", **given, strength=0.5)[4] == 0.5


def check_the_loader_for_editing_in_context_loads_both_experts_or_says_what_is_missing():
    loader = node("ReelpatchLoadContextModels")
    told = loader.validate_inputs(recipe="bernini-r")
    for expert in ("high", "low"):
        assert f"wan2.2_bernini_r_{expert}_noise_fp8_scaled.safetensors" in told, told
    assert "is no recipe that this node loads" in loader.validate_inputs(recipe="demo")
    register()
    recipes = sys.modules[loader.__module__].RECIPES
    bernini = recipes["bernini-r"]
    (low,) = bernini.files_for("low_noise")
    one = tuple(file for file in recipes["demo"].files if file.role not in ("module", "lora"))
    both = (*one, replace(low, names=(files()["backbone"].name,), size=""))
    try:
        recipes["bernini-r"] = replace(bernini, files=both)
        model, vae, encoder, second = call("ReelpatchLoadContextModels", recipe="bernini-r")
        recipes["bernini-r"] = replace(bernini, files=one)
        *_, nothing = call("ReelpatchLoadContextModels", recipe="bernini-r")
    finally:
        recipes["bernini-r"] = bernini
    assert difference(sample(model), sample(second)) > 0
    assert nothing is None
    assert vae.latent_channels == 16
    assert encoder.encode_from_tokens(encoder.tokenize("make it sepia")).shape[-1] == 4096


def check_the_loader_for_channels_says_what_is_missing_and_gives_core_both_text_encoders():
    loader = node("ReelpatchLoadChannelModels")
    told = loader.validate_inputs(recipe="capybara")
    for name in (
        "capybara_v0.1",
        "hunyuanvideo15_vae_fp16",
        "qwen_2.5_vl_7b_fp8_scaled",
        "byt5_small_glyphxl_fp16",
        "sigclip",
    ):
        assert name in told, told
    assert "is no recipe that this node loads" in loader.validate_inputs(recipe="demo")
    module = sys.modules[loader.__module__]
    both = [
        SimpleNamespace(role=role, path=f"{role}.safetensors", is_demo=False)
        for role in ("text_encoder", "vae", "glyph_encoder")
    ]
    loads, given = module.comfy.sd.load_clip, []
    try:
        module.comfy.sd.load_clip = lambda **options: given.append(options)
        module._text_encoder(both)
        module._text_encoder(both[:2])
    finally:
        module.comfy.sd.load_clip = loads
    kinds = module.comfy.sd.CLIPType
    assert [one["clip_type"] for one in given] == [kinds.HUNYUAN_VIDEO_15, kinds.WAN]
    assert given[0]["ckpt_paths"] == ["text_encoder.safetensors", "glyph_encoder.safetensors"]
