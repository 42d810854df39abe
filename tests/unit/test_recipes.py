"""The records against what was published, and against the rest of the engine."""

import inspect
import json
from dataclasses import replace

import pytest

from reelpatch.edits.reasoning.settings import PictureEdit
from reelpatch.errors import BadInput
from reelpatch.families.kinds import Kind
from reelpatch.recipes import RECIPES, Recipe, recipe
from reelpatch.recipes.files import NON_COMMERCIAL
from reelpatch.sampling.guidance import Guidance
from reelpatch.sampling.schedules import make_sigmas, timestep
from reelpatch.sampling.solvers import SOLVERS

SIZE_NOT_PUBLISHED = {
    "videocof.safetensors",
    "ReCo_ori_rank128-2025_m12_version.ckpt",
    "ReCo_ref_rank256-2026_m4_version.ckpt",
    "Wan2.1_Text_to_Video_14B_FusionX_LoRA.safetensors",
    "vdot_14b.pt",
    "clip_vision_h.safetensors",
    "Wan2.1_T2V_1.3B_SelfForcing_DMD-FP16-LoRA-Rank32.safetensors",
    "upsample_lora_diffusers.safetensors",
    "paintbrush_lora_diffusers.safetensors",
}
NO_EXAMPLES = {"ditto-local"}
each = pytest.mark.parametrize("record", [pytest.param(record, id=name) for name, record in RECIPES.items()])


@each
def test_a_recipe_can_be_run(record: Recipe) -> None:
    assert len(make_sigmas(record.schedule, record.steps, shift=record.shift)) == record.steps + 1
    solver = inspect.signature(SOLVERS[record.solver])
    assert set(record.solver_options) <= set(solver.parameters)
    record.lattice.latent_shape(record.frames, (record.height, record.width))
    for role in ("backbone", "vae", "text_encoder"):
        assert len(record.files_for(role)) == 1
    has_module = record.edit_kind.has_module
    assert len(record.files_for("module")) == has_module
    assert 0 <= record.start_step < record.steps
    assert record.family in record.edit_kind.families


@each
def test_a_recipe_says_where_its_files_come_from(record: Recipe) -> None:
    for file in record.files:
        assert all(name.endswith((".safetensors", ".pt", ".pth", ".ckpt")) for name in file.names)
        assert set(file.other_sizes_gb) < set(file.names)
        assert len(set(file.names)) == len(file.names)
        if file.url:
            assert file.url.startswith("https://huggingface.co/")
            assert file.url.endswith("/" + file.names[0])
            assert file.size_gb or file.names[0] in SIZE_NOT_PUBLISHED
        else:
            assert record.name.startswith("demo") or "published no weights" in file.unpublished
    assert record.source
    assert record.examples or record.name in NO_EXAMPLES


@each
def test_a_recipe_prints_as_json(record: Recipe) -> None:
    plain = json.loads(json.dumps(record.as_dict(), ensure_ascii=False))
    assert plain["name"] == record.name
    assert {"scale": record.guidance.scale, "steps": None}.items() <= plain["guidance"].items()
    assert plain["window"] == {"start": 0.0, "end": 1.0}
    assert plain["files"][0]["folder"] == "diffusion_models"


def test_guidance_over_sources_prints_as_json() -> None:
    plain = json.loads(json.dumps(recipe("bernini-r-1.3b").as_dict()))
    assert plain["guidance"]["projection"] == {"parallel": 0.5, "longest": 50.0}
    assert plain["reference_guidance"]["sources"] == [
        {"sees": "the clip", "weight": 3.0},
        {"sees": "the clip and the references", "weight": 3.0},
    ]


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


def test_every_published_method_is_there() -> None:
    assert set(RECIPES) == {
        *(
            "ditto-global",
            "ditto-style",
            "ditto-sim2real",
            "ditto-local",
            "ditto-quality",
            "vdot",
            "vace",
            "causvid",
        ),
        *("vdot-rollout", "causvid-1.3b", "self-forcing"),
        *("videocof", "videocof-fast", "bernini-r", "bernini-r-1.3b", "easyv2v", "reco", "reco-ref"),
        *("bernini-r-r2v", "bernini-r-1.3b-r2v"),
        *("capybara", "demo-in-context"),
        *("shared-attention", "shared-attention-1.3b", "shared-attention-a14b", "demo-shared-attention"),
        *("lightx2v", "enhance", "enhance-fast", "chronoedit", "chronoedit-8step", "demo", "demo-enhance"),
        *("chronoedit-reasoning", "chronoedit-upscale", "chronoedit-paint"),
        *("demo-picture", "demo-picture-reasoning"),
    }


def test_ditto_shows_that_it_is_non_commercial() -> None:
    for name in (name for name in RECIPES if name.startswith("ditto")):
        assert "non-commercial" in recipe(name).licence
        roles = ("lora",) if name == "ditto-local" else ("module",)
        assert any(file.licence == NON_COMMERCIAL for role in roles for file in recipe(name).files_for(role))


def levels(name: str) -> list[float]:
    record = recipe(name)
    return make_sigmas(record.schedule, record.steps, shift=record.shift).tolist()


def test_few_step_methods_start_at_their_published_levels() -> None:
    assert levels("vdot") == pytest.approx([0.999937, 0.979512, 0.941066, 0.841928, 0], abs=1e-6)
    assert levels("lightx2v") == pytest.approx([1, 0.9375, 0.833333, 0.625, 0], abs=1e-6)
    assert levels("vdot-rollout") == pytest.approx([1, 0.96, 0.888889, 0.727273, 0], abs=1e-6)
    assert levels("self-forcing") == levels("lightx2v")
    assert levels("causvid-1.3b") == pytest.approx([1, 0.757, 0.522, 0])
    for name in ("vdot-rollout", "self-forcing", "causvid-1.3b"):
        assert recipe(name).solver == "renoise"
    assert recipe("lightx2v").solver == recipe("causvid").solver == "euler"
    assert levels("causvid") == pytest.approx([0.999, 0.934, 0.862, 0.756, 0.603, 0.41, 0.25, 0.14, 0])
    assert levels("chronoedit-8step")[:2] == pytest.approx([0.9995, 0.932835], abs=1e-6)
    for name in (
        "vdot",
        "vdot-rollout",
        "lightx2v",
        "causvid",
        "causvid-1.3b",
        "self-forcing",
        "chronoedit-8step",
    ):
        assert not any(recipe(name).guidance.enabled(step) for step in range(recipe(name).steps))


def test_the_enhancer_takes_the_last_four_steps() -> None:
    record = recipe("enhance")
    assert levels("enhance")[record.start_step :] == pytest.approx(
        [0.571156, 0.492880, 0.386847, 0.235110, 0], abs=1e-6
    )
    assert record.files_for("backbone")[0].expert == "low"
    assert (record.num_run_steps, record.guidance.scale, record.expert_boundary) == (4, 3.0, 0.875)


def test_the_fast_enhancer_is_the_same_run_in_single_passes() -> None:
    slow, fast = recipe("enhance"), recipe("enhance-fast")
    assert levels("enhance-fast")[fast.start_step :] == levels("enhance")[slow.start_step :]
    assert not any(fast.guidance.enabled(step) for step in range(fast.steps))
    assert [file.role for file in fast.files] == ["backbone", "lora", "vae", "text_encoder"]


def test_recipes_that_enhance_do_not_edit_and_the_other_way_round() -> None:
    enhancers = {name for name, record in RECIPES.items() if record.enhances}
    assert enhancers == {"enhance", "enhance-fast", "demo-enhance"}
    with pytest.raises(BadInput, match="edits nothing: run `reelpatch enhance`"):
        recipe("enhance").check_edits()
    with pytest.raises(BadInput, match=r"'demo' does not enhance clips: choose .* enhance"):
        recipe("demo").check_enhances()


PICTURES = (
    "chronoedit",
    "chronoedit-8step",
    "chronoedit-reasoning",
    "chronoedit-upscale",
    "chronoedit-paint",
)


def test_recipes_for_pictures_are_the_published_settings() -> None:
    demo = {name for name in RECIPES if name.startswith("demo-picture")}
    assert {name for name, record in RECIPES.items() if record.picture} == {*PICTURES, *demo}
    for name in PICTURES:
        record = recipe(name)
        few = name in {"chronoedit-8step", "chronoedit-paint"}
        settings = (record.steps, record.shift, record.guidance.scale, record.negative_prompt, record.solver)
        assert settings == ((8, 2.0, 1.0, "", "unipc") if few else (50, 5.0, 5.0, "", "unipc"))
        assert record.picture is not None
        assert record.picture.is_distilled == few
        assert len(record.files_for("clip_vision")) == 1
        assert record.frames == (29 if name == "chronoedit-reasoning" else 5)
    assert recipe("chronoedit-reasoning").picture == PictureEdit(reasoning_steps=10)
    assert [file.names[0] for file in recipe("chronoedit-paint").files_for("lora")] == [
        "paintbrush_lora_diffusers.safetensors",
        "chronoedit_distill_lora.safetensors",
    ]
    upscale = recipe("chronoedit-upscale").picture
    assert upscale is not None
    assert upscale.enlarges
    assert upscale.instruction("").startswith("The user want to enhance image clarity and resolution while")
    paint = recipe("chronoedit-paint").picture
    assert paint is not None
    assert paint.instruction("hat").endswith("The user wants to change the sketch to a hat")


def test_the_demo_edits_pictures_without_a_picture_encoder() -> None:
    plain, reasoning = recipe("demo-picture"), recipe("demo-picture-reasoning")
    assert plain.files_for("clip_vision") == ()
    assert reasoning.files == plain.files
    assert (plain.frames, reasoning.frames) == (5, 29)
    assert reasoning.picture == PictureEdit(reasoning_steps=3)
    assert plain.files_for("backbone")[0].kinds == (Kind.IMAGE_BACKBONE,)


def test_recipes_for_pictures_edit_no_clips_and_the_other_way_round() -> None:
    with pytest.raises(BadInput, match="edits single pictures, not clips: run `reelpatch picture`"):
        recipe("chronoedit").check_edits()
    with pytest.raises(BadInput, match="'demo' edits no single pictures: choose one that does"):
        recipe("demo").check_pictures()


def test_reasoning_steps_change_the_length_of_the_film() -> None:
    assert recipe("chronoedit").reasoning_for(None) == recipe("chronoedit")
    reasoning = recipe("chronoedit").reasoning_for(7)
    assert (reasoning.frames, reasoning.picture) == (29, PictureEdit(reasoning_steps=7))
    assert recipe("chronoedit-reasoning").reasoning_for(0).frames == 5
    with pytest.raises(BadInput, match="9 reasoning steps were asked for, but the run has 8"):
        recipe("chronoedit-8step").reasoning_for(9)


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
