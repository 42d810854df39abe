"""ComfyUI core's own loaders take the shipped files, and compute with them what the headless host computes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from reelpatch.clips.frames import as_clip, as_video
from reelpatch.headless.demo import scenes
from reelpatch.headless.editor import Editor
from reelpatch.headless.hosts.wan_host import Moment, predict_velocity
from reelpatch.headless.models.wan_transformer import load_backbone
from reelpatch.headless.models.wan_vae import load_vae
from reelpatch.recipes import recipe
from tests.host import comfy

pytestmark = pytest.mark.host


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Inputs, and what ComfyUI made of them."""
    folder = tmp_path_factory.mktemp("host")
    frames = torch.from_numpy(scenes.example(scenes.HELD_OUT).source)
    generator = torch.Generator().manual_seed(0)
    inputs = {
        "latents": torch.randn(1, 16, 3, 8, 8, generator=generator),
        "timestep": torch.tensor([750.0]),
        "text": torch.cat([torch.randn(1, 6, 4096, generator=generator), torch.zeros(1, 506, 4096)], dim=1),
        "frames": frames.contiguous(),
    }
    save_file(inputs, folder / "inputs.safetensors")
    models = Editor(recipe("demo")).files.vae.parents[1]
    comfy.run(
        Path(__file__).with_name("inside") / "demo_files.py",
        models,
        folder / "inputs.safetensors",
        folder / "out.safetensors",
    )
    return inputs, load_file(folder / "out.safetensors")


@pytest.mark.parametrize(("name", "tolerance"), [("bf16", 1e-4), ("fp8_e4m3fn", 0.15)])
def test_core_loads_the_backbone(
    both: tuple[dict[str, Tensor], dict[str, Tensor]], name: str, tolerance: float
) -> None:
    inputs, results = both
    files = Editor(recipe("demo")).files
    backbone = load_backbone(
        files.backbone.with_name(f"reelpatch_demo_t2v_{name}.safetensors"), dtype=torch.float32
    )
    with torch.no_grad():
        ours = predict_velocity(
            backbone, inputs["latents"], inputs["text"], moment=Moment(0.75, 0, 4, (True,))
        )
    torch.testing.assert_close(results[name], ours.float(), atol=tolerance, rtol=0)


def test_core_loads_the_vae(both: tuple[dict[str, Tensor], dict[str, Tensor]]) -> None:
    inputs, results = both
    vae = load_vae(Editor(recipe("demo")).files.vae)
    video = as_video(inputs["frames"])
    raw = vae.encode(video) * vae._std + vae._mean
    torch.testing.assert_close(results["encoded"][0], raw, atol=0.05, rtol=0)
    decoded = as_clip(vae.decode(vae.encode(video)))
    torch.testing.assert_close(results["decoded"].reshape(decoded.shape), decoded, atol=0.02, rtol=0)
