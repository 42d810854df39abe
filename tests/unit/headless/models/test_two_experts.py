"""Wan2.2's two experts in one run: which of them works at which step, and what is in memory."""

import gc
import shutil
import weakref
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import WanTransformer3DModel
from safetensors.torch import load_file, save_file
from torch import Tensor

from reelpatch.clips.bytes_and_floats import to_floats
from reelpatch.errors import BadInput
from reelpatch.headless.editor import Editor
from reelpatch.headless.hosts.denoiser import Denoiser, ExpertSwitch
from reelpatch.headless.models.recipe_files import RecipeFiles
from reelpatch.recipes import Recipe, recipe
from reelpatch.sampling.guidance import Guidance
from reelpatch.sampling.schedules import high_noise_steps, make_sigmas
from reelpatch.sampling.solvers import sample_flow_unipc
from tests.conftest import moving_square
from tests.golden import tiny_wan
from tests.golden.deterministic import make_input

CLIP = to_floats(moving_square())
LOW = "wan2.2_bernini_r_low_noise_fp16.safetensors"
POSITIVE, NEGATIVE = make_input((1, 512, 24), 0.17, 1.0), make_input((1, 512, 24), 0.19, 3.0)


@pytest.fixture(scope="module")
def models(models_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny models, and beside their backbone another one."""
    folder = tmp_path_factory.mktemp("experts")
    shutil.copytree(models_folder, folder, dirs_exist_ok=True)
    state = load_file(backbone_of(folder))
    changed = {key: -tensor if key.endswith("o.weight") else tensor for key, tensor in state.items()}
    save_file(changed, folder / "diffusion_models" / LOW)
    return folder


def backbone_of(folder: Path) -> Path:
    (file,) = recipe("demo").files_for("backbone")
    return next(
        folder / "diffusion_models" / name
        for name in file.names
        if (folder / "diffusion_models" / name).is_file()
    )


def experts(**changes: object) -> Recipe:
    """Bernini-R on the tiny files, in four steps, of which two have high noise."""
    bernini = recipe("bernini-r")
    files = tuple(file for file in recipe("demo").files if file.role not in ("module", "lora"))
    (low,) = bernini.files_for("low_noise")
    files = (*files, replace(low, size=""))
    return replace(bernini, **{"files": files, "steps": 4, **changes})  # type: ignore[arg-type]


def test_a_history_of_steps_goes_on_over_the_switch() -> None:
    sigmas = make_sigmas("native", 6, shift=5.0)
    high, low = tiny_wan.vace((0, 2), 12)[0], tiny_wan.vace((0, 2), 12)[0]
    with torch.no_grad():
        low.proj_out.weight.neg_()
    switch_at = high_noise_steps(sigmas, 0.875)
    assert 0 < switch_at < 6
    start = make_input((1, 4, 3, 4, 6))
    told: list[int] = []

    def denoiser(transformer: WanTransformer3DModel, guidance: Guidance) -> Denoiser:
        return Denoiser(transformer, POSITIVE, sigmas, negative=NEGATIVE, guidance=guidance)

    first, second = denoiser(high, Guidance(4.0)), denoiser(low, Guidance(3.0))

    def by_hand(x: Tensor, sigma: Tensor, **extra: object) -> Tensor:
        is_high = first.step_of(float(sigma)) < switch_at
        return (first if is_high else second)(x, sigma, **extra)

    switching = denoiser(high, Guidance(4.0))
    switching.switch = ExpertSwitch(switch_at, lambda: (low, lambda step, _steps: told.append(step)), 0.75)
    assert torch.equal(sample_flow_unipc(switching, start, sigmas), sample_flow_unipc(by_hand, start, sigmas))
    assert told == list(range(switch_at, 6))


def test_no_guidance_stays_none_after_the_switch() -> None:
    assert Guidance(1.0).times(0.75) == Guidance(1.0)
    assert Guidance(4.0).times(0.75) == Guidance(3.0)


def test_both_experts_work_and_one_is_held_at_a_time(models: Path) -> None:
    loads: list[str] = []
    editor = Editor(experts(), models)
    first = weakref.ref(editor.transformer().backbone)

    def on_progress(doing: str, done: int, _number: int) -> None:
        if doing.startswith("loading") and not done:
            gc.collect()
            assert first() is None or not loads
            loads.append(doing)

    edited = editor.render(CLIP, "remove the square", on_progress=on_progress)
    assert loads == ["loading the low-noise backbone"]
    assert first() is None
    again = editor.render(CLIP, "remove the square", on_progress=on_progress)
    assert loads[1:] == ["loading the backbone", "loading the low-noise backbone"]
    assert torch.equal(edited, again)
    high_alone = Editor(experts(expert_boundary=0.0), models).render(CLIP, "remove the square")
    low_alone = Editor(experts(expert_boundary=1.0), models).render(CLIP, "remove the square")
    assert not torch.equal(edited, high_alone)
    assert not torch.equal(edited, low_alone)
    assert [name for name, _ in editor.weight_files][:2] == ["backbone", "low-noise backbone"]


def test_the_wrong_pair_of_experts_is_refused(models: Path, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    shutil.copytree(models, folder)
    (folder / "diffusion_models" / LOW).unlink()
    with pytest.raises(
        BadInput,
        match=r"wan2\.2_bernini_r_low_noise_fp8_scaled\.safetensors .* is not in .*; get it from https",
    ):
        RecipeFiles.find(experts(), folder)
    (folder / "diffusion_models" / LOW).symlink_to(backbone_of(folder))
    with pytest.raises(
        BadInput, match="are one file, but the high-noise and the low-noise expert are needed"
    ):
        RecipeFiles.find(experts(), folder)
    high = replace(recipe("bernini-r").files_for("backbone")[0], size="", names=(LOW,))
    other = tuple(file for file in experts().files if file.role != "backbone")
    with pytest.raises(BadInput, match="by its name the low-noise expert, but the high-noise one is needed"):
        RecipeFiles.find(experts(files=(high, *other)), models)
