"""A family of models and a kind of edit of somebody else's, each a folder and a line, on a MODEL of ComfyUI's."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import comfy.samplers
import torch
from tiny import LATENT, TEXT_ROWS, apply, backbone, difference, module, sample

sys.path.append(str(Path(__file__).parents[2]))  # ComfyUI has a package `tests` of its own

from toy_family import family, in_comfyui, transformer
from toy_kind.sharing import OtherKeysValues
from toy_kind.work import ToyWork

from reelpatch.clips.frames import plan_fit
from reelpatch.edits.work import EditSettings, Prepared
from reelpatch.errors import BadInput
from reelpatch.families.registry import FAMILIES
from reelpatch.sampling.guidance import Guidance, GuidancePlan
from reelpatch.sampling.noise import FrameNoise
from reelpatch.sampling.step_range import StepRange

FAMILIES.register("toy", "toy_family.family", "TOY_FAMILY")
SIGMAS = torch.tensor([1.0, 0.8, 0.4, 0.0])


def pack(name: str) -> ModuleType:
    return next(found for full, found in sys.modules.items() if full.endswith(f".nodes.{name}"))


def model() -> Any:
    return in_comfyui.patcher(transformer.drawn()[0])


def rendered(strength: float) -> torch.Tensor:
    """A clip of 5 frames of 30x22 pixels, brought to a size of the family's, edited and given back."""
    clip = torch.rand(5, 22, 30, 3, generator=torch.Generator().manual_seed(1))
    render = pack("window_render").WindowRender(
        model(), None, in_comfyui.VaeInComfyUI(transformer.drawn()[1]), in_comfyui.text(1), in_comfyui.text(2),
        GuidancePlan(Guidance(3.0)), comfy.samplers.sampler_object("euler"), SIGMAS, [], strength, StepRange(),
        False, ToyWork(), lambda _step, _preview: None,
    )  # fmt: skip
    plan = plan_fit(*clip.shape[:3], lattice=family.TOY_FAMILY.lattice, method="pad")
    edited = render(clip, mask=None, seed=FrameNoise(3, 0), plan=plan, on_progress=lambda *_: None)
    assert edited.shape == clip.shape
    return edited


def check_a_clip_is_edited_by_a_model_of_that_family():
    off, half, full = rendered(0.0), rendered(0.5), rendered(1.0)
    found = {"half": difference(off, half), "full": difference(half, full)}
    assert min(found.values()) > 1e-3
    assert difference(full, rendered(1.0)) == 0
    return found


def check_an_edit_is_the_plain_formula_there():
    held = model()
    prepared = Prepared((8, 3, 4, 5))
    (edit,) = ToyWork().edits(None, prepared, EditSettings(strength=0.5))
    plain, _ = transformer.drawn()
    x = torch.randn(1, 8, 3, 4, 5, generator=torch.Generator().manual_seed(2))
    sigma, (text, _) = torch.tensor([0.8]), in_comfyui.text(1)[0]
    options = {"cond_or_uncond": [0], "sample_sigmas": SIGMAS, "sigmas": sigma}
    edited = pack("host").attach(held, edit, None)
    wrappers = edited.get_wrappers("diffusion_model", "reelpatch")
    options["wrappers"] = {"diffusion_model": {"reelpatch": wrappers}}
    made = held.model.diffusion_model(x, 1000 * sigma, text, options)

    def after(index: int) -> Any:
        def block(given: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
            tokens = extra["original_block"](given)["img"]
            return {"img": tokens + 0.5 * torch.linspace(-1, 1, 64) if index == 1 else tokens}

        return block

    patches = {("double_block", index): after(index) for index in range(3)}
    by_hand = plain(x, 1000 * sigma, text, {"patches_replace": {"dit": patches}})
    assert difference(made, by_hand) == 0
    assert difference(made, plain(x, 1000 * sigma, text)) > 1e-3


def check_a_model_is_known_by_its_classes():
    family_of = pack("host").family_of
    assert family_of(model()) is family.TOY_FAMILY
    assert family_of(backbone(torch.float32)).name == "wan"


def check_a_kind_from_outside_runs_on_wan():
    toy, base = ToyWork(), backbone(torch.float32)
    prepared = Prepared((16, *LATENT[2:]))
    (edit,) = toy.edits(None, prepared, EditSettings(strength=0.5))
    plain, edited = sample(base), sample(pack("host").attach(base, edit, None))
    assert difference(plain, edited) > 1e-3
    (off,) = toy.edits(None, prepared, EditSettings(strength=0.0))
    assert difference(plain, sample(pack("host").attach(base, off, None))) == 0


def check_an_edit_module_of_wan_does_not_fit():
    width = module(torch.float32).model.config.dim
    try:
        pack("host").check_backbone(model(), width)
    except BadInput as refusal:
        said = str(refusal)
    else:
        said = "nothing"
    assert "128 wide and the backbone 64" in said, said


def check_keys_and_values_are_the_plain_formula_in_comfyui():
    base, attach = backbone(torch.float32), pack("host").attach
    plain = sample(base)
    assert difference(plain, sample(attach(base, OtherKeysValues(), None))) == 0
    edited = attach(base, OtherKeysValues(block=1, keys=4.0, values=0.5), None)
    found = sample(edited)
    by_weights = base.clone()
    layers = {"norm_k.weight": 4.0, "v.weight": 0.5, "v.bias": 0.5}
    state = base.model_state_dict()
    for name, factor in layers.items():
        key = f"diffusion_model.blocks.1.self_attn.{name}"
        by_weights.add_patches({key: ((factor - 1) * state[key],)})
    told = {"effect": difference(plain, found), "difference": difference(found, sample(by_weights))}
    assert told["effect"] > 1e-3
    assert told["difference"] == 0  # factors of 2 round nothing
    twice = sample(attach(base, OtherKeysValues(times=2), None))
    assert difference(plain, twice) < 1e-5  # but for sums twice as long
    return told


def check_an_attention_override_that_stands_there_is_called():
    base, attach = backbone(torch.float32), pack("host").attach
    seen = []

    def halved(attention: Any, q: Any, k: Any, v: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append((tuple(q.shape), tuple(k.shape)))
        return attention(q, k, 0.5 * v, *args, **kwargs)

    base.model_options.setdefault("transformer_options", {})["optimized_attention_override"] = halved
    theirs = sample(base)
    calls, seen[:] = len(seen), []
    both = sample(attach(base, OtherKeysValues(times=2), None))
    assert len(seen) == calls
    assert {keys[1] / rows[1] for rows, keys in seen if keys[1] != TEXT_ROWS} == {1, 2}
    assert difference(theirs, both) < 1e-5
    changed = sample(attach(base, OtherKeysValues(values=0.25), None))
    assert difference(theirs, changed) > 1e-3


def check_keys_and_hints_stack():
    base, attach = backbone(torch.float32), pack("host").attach
    edited, latent = apply(base, module(torch.float32))
    both = sample(attach(edited, OtherKeysValues(values=0.5), None), latent=latent["samples"])
    other = attach(base, OtherKeysValues(values=0.5), None)
    again, latent = apply(other, module(torch.float32))
    assert difference(both, sample(again, latent=latent["samples"])) == 0
    assert difference(both, sample(edited, latent=latent["samples"])) > 1e-3
