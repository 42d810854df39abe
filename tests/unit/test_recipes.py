"""The records against what was published, and against the rest of the engine."""

import inspect
import json
from dataclasses import replace

import pytest

from reelpatch.errors import BadInput
from reelpatch.geometry import latent_shape
from reelpatch.recipes import NON_COMMERCIAL, RECIPES, Recipe, recipe
from reelpatch.sampling.guidance import Guidance
from reelpatch.sampling.schedules import make_sigmas, timestep
from reelpatch.sampling.solvers import SOLVERS

each = pytest.mark.parametrize("record", [pytest.param(record, id=name) for name, record in RECIPES.items()])


@each
def test_a_recipe_can_be_run(record: Recipe) -> None:
    assert len(make_sigmas(record.schedule, record.steps, shift=record.shift)) == record.steps + 1
    solver = inspect.signature(SOLVERS[record.solver])
    assert set(record.solver_options) <= set(solver.parameters)
    latent_shape(record.frames, (record.height, record.width))
    for role in ("backbone", "module", "vae", "text_encoder"):
        assert len(record.files_for(role)) == 1


@each
def test_a_recipe_says_where_its_files_come_from(record: Recipe) -> None:
    for file in record.files:
        assert all(name.endswith(".safetensors") for name in file.names)
        assert len(set(file.names)) == len(file.names)
        if file.url:
            assert file.url.startswith("https://huggingface.co/")
            assert file.url.endswith("/" + file.names[0])
            assert file.size_gb
        else:
            assert record.name == "demo"
    assert record.source
    assert record.examples


@each
def test_a_recipe_prints_as_json(record: Recipe) -> None:
    plain = json.loads(json.dumps(record.as_dict(), ensure_ascii=False))
    assert plain["name"] == record.name
    assert plain["guidance"] == {"scale": record.guidance.scale, "steps": None}
    assert plain["window"] == {"start": 0.0, "end": 1.0}
    assert plain["files"][0]["folder"] == "diffusion_models"


def test_guided_steps_print_as_a_list() -> None:
    record = replace(recipe("vace"), guidance=Guidance(5.0, frozenset({1, 0})))
    assert json.loads(json.dumps(record.as_dict()))["guidance"] == {"scale": 5.0, "steps": [0, 1]}


def test_ditto_global_is_its_published_workflow() -> None:
    ditto = recipe("ditto-global")
    sigmas = make_sigmas(ditto.schedule, ditto.steps, shift=ditto.shift)
    assert [timestep(sigma, truncate=True) for sigma in sigmas[:-1].tolist()] == [999, 856, 666, 399]
    assert ditto.solver == "unipc"
    assert inspect.signature(SOLVERS["unipc"]).parameters["truncate_timesteps"].default is True
    assert (ditto.guidance.scale, ditto.strength) == (1.2, 0.975)
    assert ditto.skip_layers is not None
    assert ditto.skip_layers.blocks == (2,)
    assert [step for step in range(4) if ditto.skip_layers.active(step, 4)] == [1, 2]
    assert (ditto.width, ditto.height, ditto.frames, ditto.fps) == (832, 480, 73, 24)
    assert ditto.negative_prompt.endswith("glitch, extra limbs,")
    (lora,) = ditto.files_for("lora")
    assert lora.names == ("Wan21_CausVid_14B_T2V_lora_rank32_v2.safetensors",)
    assert lora.strength == 1.0


def test_ditto_quality_is_its_published_script() -> None:
    ditto = recipe("ditto-quality")
    sigmas = make_sigmas(ditto.schedule, ditto.steps, shift=ditto.shift)
    assert sigmas[:2].tolist() == pytest.approx([1, 0.995935], abs=1e-6)
    assert inspect.signature(SOLVERS[ditto.solver]).parameters["truncate_timesteps"].default is False
    assert (ditto.guidance.scale, ditto.strength, ditto.skip_layers) == (5.0, 1.0, None)
    assert ditto.files_for("lora") == ()
    assert len(ditto.negative_prompt) == 137


def test_ditto_shows_that_it_is_non_commercial() -> None:
    for name in ("ditto-global", "ditto-quality"):
        assert "non-commercial" in recipe(name).licence
        assert recipe(name).files_for("module")[0].licence == NON_COMMERCIAL


def test_vace_is_the_official_default() -> None:
    vace = recipe("vace")
    sigmas = make_sigmas(vace.schedule, vace.steps, shift=vace.shift)
    assert sigmas[:2].tolist() == pytest.approx([0.999937, 0.998662], abs=1e-6)
    assert (vace.guidance.scale, vace.frames, vace.fps, vace.solver) == (5.0, 81, 16, "unipc")


@pytest.mark.parametrize(
    ("name", "offer"),
    [("ditto-globl", "did you mean ditto-global"), ("Demo", "mean demo"), ("", "ditto-global or .* or demo")],
)
def test_an_unknown_recipe_offers_the_closest(name: str, offer: str) -> None:
    with pytest.raises(BadInput, match=offer):
        recipe(name)
