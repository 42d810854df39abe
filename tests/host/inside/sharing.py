"""Attention sharing on a MODEL of ComfyUI's: two clips as two rows of one latent."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import comfy.latent_formats
import comfy.samplers
import comfy.sd
import folder_paths
import torch
from safetensors.torch import load_file
from tiny import LATENT, SIZE, Vae, backbone, call, clip, difference, noise, sample, text

from reelpatch.edits.sharing import schedule
from reelpatch.edits.sharing.edit import SharingEdit
from reelpatch.edits.sharing.schedule import Policy, Rule, SharingMethod, Stage, Stages
from reelpatch.errors import BadInput

FOLDER = Path(folder_paths.base_path) / "sharing_reference"
STAGES = Stages(0.95, 0.6)
PAIR = (2, *LATENT[1:])
RECIPE = "shared-attention"


def host() -> ModuleType:
    return next(found for name, found in sys.modules.items() if name.endswith(".nodes.host"))


def attentive() -> Any:
    """A MODEL in which it matters what self-attention reads."""
    base = backbone(torch.float32).clone()
    state = base.model_state_dict()
    keys = [
        f"diffusion_model.blocks.{block}.self_attn.{name}.weight"
        for block in range(4)
        for name in ("norm_k", "v")
    ]
    base.add_patches({key: (5 * state[key],) for key in keys})
    return base


def by(policy: Policy, **options: Any) -> SharingEdit:
    """One policy in every block at every noise."""
    rules = tuple(Rule(stage, policy) for stage in Stage)
    schedule.SCHEDULES["test"] = rules  # type: ignore[index]
    return SharingEdit(SharingMethod(STAGES, "test"), **options)


def rows(first: int, second: int) -> list[Any]:
    return [[torch.cat([text(first)[0][0], text(second)[0][0]]), {}]]


def pair(model: Any, first: int = 1, second: int = 7, **options: Any) -> torch.Tensor:
    """Two clips of two texts, each of its own noise unless said otherwise."""
    given = {"positive": rows(first, second), "negative": text(2), "noise": noise(PAIR)}
    return sample(model, latent=torch.zeros(PAIR), **given | options)


def check_equal_rows_are_a_plain_run_by_every_policy():
    base = attentive()
    plain, same = sample(base), noise(LATENT).repeat(2, 1, 1, 1, 1)
    found = {}
    for policy in Policy:
        made = pair(host().attach(base, by(policy), None), 1, 1, noise=same)
        found[policy.value] = max(difference(made[:1], plain), difference(made[1:], plain))
    # Sums of the same numbers in another order, in four layers, four steps and two passes.
    assert max(found.values()) <= 1e-5 * float(plain.abs().max()), found
    return found


def check_self_on_unequal_rows_is_two_plain_runs():
    base = attentive()
    made = pair(host().attach(base, by(Policy.SELF), None))
    first, second = noise(PAIR).split(1)
    apart = sample(base, noise=first), sample(base, noise=second, positive=text(7))
    found = [difference(one, other) for one, other in zip(made.split(1), apart, strict=True)]
    assert max(found) < 1e-5 * float(made.abs().max())
    return found


def check_every_policy_acts_and_leaves_nothing_on_the_model():
    base = attentive()
    before = pair(base)
    found = {}
    for policy in Policy:
        made = pair(host().attach(base, by(policy), None))
        found[policy.value] = difference(made, before)
    assert found.pop(Policy.SELF.value) < 1e-4
    assert min(found.values()) > 1e-3, found
    assert difference(pair(base), before) == 0
    assert "optimized_attention_override" not in base.model_options.get("transformer_options", {})
    return found


def check_an_attention_override_that_stands_there_is_called_as_often():
    base = attentive()
    calls = []

    def counting(attention: Any, q: Any, k: Any, v: Any, *args: Any, **kwargs: Any) -> Any:
        calls.append((q.shape[1], k.shape[1]))
        return attention(q, k, v, *args, **kwargs)

    base.model_options.setdefault("transformer_options", {})["optimized_attention_override"] = counting
    theirs = pair(base)
    count, calls[:] = len(calls), []
    made = pair(host().attach(base, by(Policy.CONCAT_KV), None))
    assert len(calls) == count
    assert any(keys == 2 * queries for queries, keys in calls)
    assert difference(theirs, made) > 1e-3
    assert base.model_options["transformer_options"]["optimized_attention_override"] is counting


def check_one_call_for_both_conditions_is_two():
    base = attentive()
    edited = host().attach(base, SharingEdit(SharingMethod(STAGES, "local")), None)
    together = pair(edited)
    seen = []

    def apart(args: dict[str, Any]) -> list[torch.Tensor]:
        model, x, sigma, options = (args[name] for name in ("model", "input", "sigma", "model_options"))
        positive, negative = args["conds"]
        seen.append(len(x))
        return [
            comfy.samplers.calc_cond_batch(model, [positive, None], x, sigma, options)[0],
            comfy.samplers.calc_cond_batch(model, [None, negative], x, sigma, options)[1],
        ]

    edited.model_options["sampler_calc_cond_batch_function"] = apart
    found = difference(together, pair(edited))
    assert seen == [2] * 4
    assert found < 1e-5 * float(together.abs().max())
    return found


def check_two_samplers_are_one():
    """As two experts run: the stages go by noise, not by the step of a part."""
    edited = host().attach(attentive(), SharingEdit(SharingMethod(STAGES, "colour")), None)
    sigmas = torch.tensor([1.0, 0.9, 0.7, 0.4, 0.0])
    whole = pair(edited, sigmas=sigmas)
    read = comfy.latent_formats.Wan21()
    half = pair(edited, sigmas=sigmas[:3])
    # A run that ends at 0.7 hands on what it holds, which the next sampler takes without noise.
    rest = sample(
        edited, latent=half, positive=rows(1, 7), negative=text(2), noise=torch.zeros(PAIR), sigmas=sigmas[2:]
    )
    del read
    found = difference(whole, rest)
    assert found < 1e-3, found
    return found


def node(model: Any, **options: Any) -> tuple[Any, ...]:
    given = {
        "model": model, "source": text(1), "target": text(2), "recipe": RECIPE, "change": "local", "onset": 0,
        "noise": "same", "width": SIZE[1], "height": SIZE[0], "frames": 9, "early": 0.95, "middle": 0.6,
    }  # fmt: skip
    return call("ReelpatchPairedGeneration", **given | options)


def check_a_size_and_a_length_of_0_are_the_recipe_s():
    latent = node(backbone(torch.float32), width=0, height=0, frames=0)[2]["samples"]
    assert latent.shape == (2, 16, 21, 60, 104)  # 81 frames of 832x480


def by_sampler(model: Any, positive: Any, latent: dict[str, Any], seed: int = 5) -> torch.Tensor:
    """As SamplerCustomAdvanced does, with RandomNoise, CFGGuider, euler and the sigmas of the reference."""
    guider = call("CFGGuider", model=model, positive=positive, negative=text(3), cfg=3.0)[0]
    made = call(
        "SamplerCustomAdvanced",
        noise=call("RandomNoise", noise_seed=seed)[0],
        guider=guider,
        sampler=call("KSamplerSelect", sampler_name="euler")[0],
        sigmas=torch.tensor([1.0, 0.9, 0.7, 0.4, 0.0]),
        latent_image=latent,
    )
    return made[0]["samples"]


class Given(Vae):
    """Encodes to the reference's source."""

    def encode(self, frames: torch.Tensor) -> torch.Tensor:  # noqa: ARG002
        source = load_file(FOLDER / "made.safetensors")["source"]
        return comfy.latent_formats.Wan21().process_out(source[None])


def check_nodes_make_what_the_headless_host_makes():
    base = comfy.sd.load_diffusion_model(str(FOLDER / "backbone.safetensors"))
    expected = load_file(FOLDER / "made.safetensors")
    read = comfy.latent_formats.Wan21().process_in
    cases = {
        "plain": {"change": "none"},
        "local": {"change": "local"},
        "insertion": {"change": "insertion"},
        "background": {"change": "background"},
        "colour": {"change": "colour"},
        "motion with an onset": {"change": "motion", "onset": 5},
        "a clip that is given": {"change": "local", "clip": clip(), "vae": Given()},
        "a clip that is given, with an onset": {
            "change": "colour",
            "onset": 5,
            "clip": clip(),
            "vae": Given(),
        },
    }
    found = {}
    for name, options in cases.items():
        own = {} if "onset" in options or "clip" in options else {"noise": "own"}
        made = read(by_sampler(*node(base, **own | options)))
        found[name] = difference(made, expected[name])
        if options.get("onset"):
            assert difference(made[0, :, :2], made[1, :, :2]) < 1e-5, name
        if own and name != "plain":
            assert difference(expected[name], expected["plain"]) > 1e-3, name
    assert max(found.values()) < 1e-4, found
    return found


def check_own_noise_is_drawn_for_each():
    base = backbone(torch.float32)
    made = by_sampler(*node(base, change="none", target=text(1), noise="own"))
    assert difference(made[:1], made[1:]) > 1e-2
    same = by_sampler(*node(base, change="none", target=text(1)))
    assert difference(same[:1], same[1:]) < 1e-5 * float(same.abs().max())
    assert difference(same[:1], made[:1]) < 1e-5 * float(same.abs().max())


def check_a_pair_is_finished():
    class Decoding(Vae):
        def decode(self, latents: torch.Tensor) -> torch.Tensor:
            frames = 4 * latents.shape[2] - 3
            picture = latents[:, :3].mean((3, 4)).sigmoid().repeat_interleave(4, dim=2)[:, :, -frames:]
            return picture.permute(0, 2, 1)[:, :, None, None].expand(1, frames, 8, 8, 3)

    latents = noise(PAIR)
    source, target, alone = call(
        "ReelpatchFinishPair", samples={"samples": latents, "reelpatch_onset": 6}, vae=Decoding()
    )
    assert torch.equal(source[:6], target[:6])
    assert difference(source[6:], target[6:]) > 0
    assert torch.equal(alone["samples"][:, :, :2], latents[:1, :, :2])
    assert torch.equal(alone["samples"][:, :, 2:], latents[1:, :, 2:])
    return list(source.shape)


def check_what_cannot_be_is_refused():
    base = backbone(torch.float32)
    refused = {
        "onset 3 of 9 with own noise": ({"onset": 3, "noise": "own"}, "equal before the onset"),
        "onset 9 of 9": ({"onset": 9}, "the onset is frame 9, but the clips have the frames 0 to 8"),
        "a clip without a VAE": ({"clip": clip()}, "no VAE that encodes it"),
        "two texts": ({"source": text(1) + text(2)}, "the source of a pair has 2 texts"),
        "8 frames": ({"frames": 8}, "8 frames"),
        "stages in the wrong order": ({"early": 0.3}, "the early stage ends at noise 0.3"),
    }
    told = {name: _refusal(partial(node, base, **options)) for name, (options, _) in refused.items()}
    for name, (_, words) in refused.items():
        assert words in told[name], told
    assert "no pairs of a source and a target" in _refusal(partial(sample, node(base)[0]))
    one_clip = partial(call, "ReelpatchFinishPair", samples={"samples": noise(LATENT)}, vae=Vae())
    assert "a pair's are [2, 16" in _refusal(one_clip)
    return told


def _refusal(run: Callable[[], Any]) -> str:
    try:
        run()
    except BadInput as error:
        return str(error)
    return "nothing was said"
