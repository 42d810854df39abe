"""The files that ComfyUI's loaders take of every recipe."""

from __future__ import annotations

import pytest

from reelpatch.recipes import RECIPES, Recipe
from reelpatch.recipes.comfy_files import comfy_files


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=lambda recipe: recipe.name)
def test_every_file_is_one_that_comfyui_loads(recipe: Recipe) -> None:
    files = comfy_files(recipe)
    assert [file.role for file in files] == [file.role for file in recipe.files]
    for file in files:
        assert file.names
        assert all(name.endswith(".safetensors") for name in file.names)
        assert not file.url or file.url.endswith((file.names[0], ".pt", ".ckpt"))


def test_the_text_encoder_is_the_small_one_with_its_tokenizer() -> None:
    (file,) = (file for file in comfy_files(RECIPES["ditto-global"]) if file.role == "text_encoder")
    assert file.names == ("umt5_xxl_fp8_e4m3fn_scaled.safetensors", "umt5_xxl_fp16.safetensors")
    assert file.size_gb == pytest.approx(6.74, abs=0.01)
    (shipped,) = (file for file in comfy_files(RECIPES["demo"]) if file.role == "text_encoder")
    assert shipped.names == ("reelpatch_demo_umt5.safetensors",)


def test_a_pickle_stands_for_what_is_made_of_it_with_its_size() -> None:
    backbone, module, *_ = comfy_files(RECIPES["vdot"])
    assert (backbone.names[0], backbone.size_gb) == ("vdot_14b_base_bf16.safetensors", 28.6)
    assert (module.names[0], module.size_gb) == ("vdot_14b_module_bf16.safetensors", 6.1)
