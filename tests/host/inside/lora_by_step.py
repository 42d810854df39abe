"""Load LoRA's strength for each step: every step computes what a LoRA of that one strength does."""

from __future__ import annotations

import folder_paths
import torch
from bad_input import refused
from composition import lora
from safetensors.torch import save_file
from segments import guided
from tiny import (
    FOLDER,
    FP8,
    LATENT,
    SIGMAS,
    apply,
    backbone,
    call,
    difference,
    files,
    module,
    noise,
    sample,
    weights,
)

from reelpatch.sampling.guidance import Guidance, GuidancePlan

FACTORS = (1.0, 0.5, 0.0, 0.25)
STRENGTH = 0.8


def written(name: str, state: dict[str, torch.Tensor]) -> str:
    files()
    save_file(state, FOLDER / name)
    folder_paths.add_model_folder_path("loras", str(FOLDER))
    folder_paths.filename_list_cache.clear()
    return name


def loaded(file: str, *, strength: float = STRENGTH, by_step: str = "", how: str = "side path", **targets):
    return call("ReelpatchLoadLora", file=file, strength=strength, how=how, by_step=by_step, **targets)


def by_single_steps(models: list) -> torch.Tensor:
    """Each step of the run with a model of its own, handed on by hand."""
    latents = torch.zeros(LATENT)
    for step, model in enumerate(models):
        start = noise() if step == 0 else torch.zeros(LATENT)
        latents = sample(model, sigmas=SIGMAS[step : step + 2], latent=latents, noise=start)
    return latents


def compared(make, plain) -> dict[str, float]:
    """`make(strength, by_step)` as one run by step against a run put together from four."""
    text = ", ".join(map(str, FACTORS))
    together = sample(make(STRENGTH, text))
    apart = by_single_steps([make(STRENGTH * factor, "") for factor in FACTORS])
    found, effect = difference(together, apart), difference(together, sample(make(STRENGTH, "")))
    assert effect > 1e-2, "the steps make no difference"
    assert found <= 1e-4, (found, effect)
    assert difference(sample(make(0.0, "")), sample(plain)) == 0
    return {"max_abs_diff": found, "effect": effect}


def module_lora() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(21)
    name = "vace_blocks.1.ffn.2"
    rows, columns = weights()[f"{name}.weight"].shape
    return {
        f"{name}.lora_A.weight": torch.randn(4, columns, generator=generator),
        f"{name}.lora_B.weight": torch.randn(rows, 4, generator=generator),
    }


def full_differences() -> dict[str, torch.Tensor]:
    """One of each kind that published files hold: norms of both sorts, biases, modulations, matrices, a convolution."""
    generator = torch.Generator().manual_seed(22)
    of_key = {
        "blocks.0.norm3.diff": "blocks.0.norm3.weight",
        "blocks.0.norm3.diff_b": "blocks.0.norm3.bias",
        "blocks.1.self_attn.norm_q.diff": "blocks.1.self_attn.norm_q.weight",
        "blocks.2.self_attn.o.diff_b": "blocks.2.self_attn.o.bias",
        "text_embedding.0.diff": "text_embedding.0.weight",
        "patch_embedding.diff": "patch_embedding.weight",
        "patch_embedding.diff_b": "patch_embedding.bias",
        "blocks.1.diff_m": "blocks.1.modulation",
        "head.diff_m": "head.modulation",
    }
    return {
        f"diffusion_model.{key}": 0.3
        * weights()[name].std()
        * torch.randn(weights()[name].shape, generator=generator)
        for key, name in of_key.items()
    }


def check_on_a_backbone():
    base, file = backbone(), written("of_backbone.safetensors", lora())
    return compared(
        lambda strength, by_step: loaded(file, strength=strength, by_step=by_step, model=base)[0], base
    )


def check_on_an_edit_module():
    base, patch, file = backbone(), module(), written("of_module.safetensors", module_lora())

    def make(strength, by_step):
        return apply(base, loaded(file, strength=strength, by_step=by_step, edit_module=patch)[1])[0]

    return compared(make, apply(base, patch)[0])


def check_on_the_second_expert():
    """Of levels 1, 0.9, 0.7 and 0.4, the last one is its own, with the last of the strengths."""
    high, low, file = backbone(), backbone(), written("of_backbone.safetensors", lora())
    plan = GuidancePlan(Guidance(1.0), boundary=0.6)

    def made(strength, by_step=""):
        second = loaded(file, strength=strength, by_step=by_step, model=low)[0]
        return guided(high, plan, sigmas=SIGMAS, low_noise=second)

    together = made(STRENGTH, ", ".join(map(str, FACTORS)))
    found = difference(together, made(STRENGTH * FACTORS[-1]))
    assert found <= 1e-4, found
    assert difference(together, made(STRENGTH)) > 1e-2, "the strength makes no difference"
    return found


def check_full_differences_of_every_kind():
    base, file = backbone(), written("full_differences.safetensors", full_differences())
    report = loaded(file, by_step="1, 0", model=base)[2]
    assert "Not used" not in report, report
    return compared(
        lambda strength, by_step: loaded(file, strength=strength, by_step=by_step, model=base)[0], base
    )


def check_two_of_them_on_top_of_each_other():
    """Both with a modulation, of which one parameter has to take the place of another twice."""
    base = backbone()
    one = written("full_differences.safetensors", full_differences())
    other = written(
        "other.safetensors", {"diffusion_model.blocks.1.diff_m": torch.ones(1, 6, 128) / 3} | lora()
    )

    def make(strength, by_step):
        model = loaded(one, strength=strength, by_step=by_step, model=base)[0]
        return loaded(other, strength=strength, by_step=by_step, model=model)[0]

    return compared(make, base)


def lycoris(form: str) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """A LoHa or LoKr on square layers as LyCORIS writes it, and the full differences that its formula gives."""
    generator = torch.Generator().manual_seed(23)
    state, full = {}, {}
    for layer in ("blocks.0.self_attn.q", "blocks.1.self_attn.o", "blocks.2.cross_attn.v"):
        size = weights()[f"{layer}.weight"].shape[0]
        made = [torch.randn(shape, generator=generator) / 4 for shape in ((size, 4), (4, size)) * 2]
        names, delta = ("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"), None
        if form == "loha":
            delta = (made[0] @ made[1]) * (made[2] @ made[3]) / 4
        else:
            side = size // 8
            made = [torch.randn(shape, generator=generator) / 4 for shape in ((8, 8), (side, 2), (2, side))]
            names = ("lokr_w1", "lokr_w2_a", "lokr_w2_b")
            delta = torch.kron(made[0], made[1] @ made[2]) / 2
        name = f"lycoris_{layer.replace('.', '_')}"
        state |= {f"{name}.{part}": tensor for part, tensor in zip(names, made, strict=True)}
        state[f"{name}.alpha"] = torch.tensor(1.0)
        full[f"diffusion_model.{layer}.diff"] = delta
    return state, full


def check_loha_and_lokr_beside_and_merged():
    base, found = backbone(), {}
    for form in ("loha", "lokr"):
        state, full = lycoris(form)
        file, same = written(f"{form}.safetensors", state), written(f"{form}_full.safetensors", full)
        report = loaded(file, model=base)[2]
        assert "3 layers changed" in report, report
        assert "Not used" not in report, report
        expected = sample(loaded(same, model=base)[0])
        for how in ("side path", "merged"):
            apart = difference(sample(loaded(file, how=how, model=base)[0]), expected)
            assert apart <= 1e-4, (form, how, apart)
            found[f"{form}, {how}"] = apart
        assert difference(expected, sample(base)) > 1e-2, "it changes nothing"
        found |= compared(
            lambda strength, by_step, file=file: loaded(file, strength=strength, by_step=by_step, model=base)[
                0
            ],
            base,
        )
    return found


def check_values_share_the_steps():
    base, file = backbone(), written("of_backbone.safetensors", lora())
    halves, quarters = (sample(loaded(file, by_step=text, model=base)[0]) for text in ("1, 0", "1,1,0,0"))
    assert difference(halves, quarters) == 0
    equal, plain = (sample(loaded(file, by_step=text, model=base)[0]) for text in ("1, 1", ""))
    assert difference(equal, plain) == 0


def check_fp8_bits_stay_and_it_comes_off():
    base, file = backbone(FP8, dtype=FP8), written("of_backbone.safetensors", lora())
    layer = base.model.diffusion_model.blocks[0].self_attn.q
    assert layer.weight.dtype == FP8
    bits, before = layer.weight.view(torch.uint8).clone(), sample(base)
    changed = sample(loaded(file, by_step="1, 0.5", model=base)[0])
    assert difference(changed, before) > 1e-2
    assert torch.equal(layer.weight.view(torch.uint8), bits)
    assert difference(sample(base), before) == 0


def check_bare_parameters_are_the_same_objects_after_a_run():
    base, file = backbone(), written("full_differences.safetensors", full_differences())
    block = base.model.diffusion_model.blocks[1]
    before, standing = sample(base), block.modulation
    sample(loaded(file, by_step="1, 0", model=base)[0])
    assert difference(sample(base), before) == 0
    assert block.modulation is standing


def check_what_is_wrong_with_it():
    base, file = backbone(), written("of_backbone.safetensors", lora())
    too_many = loaded(file, by_step="1, 1, 0.5, 0, 0", model=base)[0]
    return [
        refused(lambda: loaded(file, by_step="1, half", model=base), "1, half", "by_step", "commas"),
        refused(lambda: loaded(file, by_step="1, nan", model=base), "nan"),
        refused(lambda: loaded(file, strength=float("nan"), model=base), "nan"),
        refused(lambda: loaded(file, by_step="1, 0", how="merged", model=base), "by_step", "side path"),
        refused(lambda: sample(too_many), "5 strengths", "4 steps"),
    ]
