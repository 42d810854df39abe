"""What several tests share: a models folder of tiny random weights in the true formats, and small clips."""

import gc
import os
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKLWan, WanVACETransformer3DModel
from numpy.typing import NDArray
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor, nn
from transformers import UMT5Config, UMT5EncoderModel

from reelpatch.edits.vace.module import LAYERS_KEY
from reelpatch.families.wan.names import diffusers_to_native, umt5_hf_to_wan, vae_diffusers_to_native
from reelpatch.media.video_io import Video
from reelpatch.media.video_write import write_video
from reelpatch.recipes import Role, recipe

# Tests run side by side (`make test`): each process, and what it starts, takes its share of the cores.
SHARED_BY = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
if SHARED_BY > 1:
    threads = max(1, (os.cpu_count() or 1) // SHARED_BY)
    os.environ["OMP_NUM_THREADS"] = str(threads)
    torch.set_num_threads(threads)

# `make test` hands out whole files, in this order and then as they are found: whoever gets a long one last is waited for.
LONGEST_FIRST = (
    "tests/host/test_browser.py",
    "tests/host/test_inside.py",
    "tests/unit/demo/test_bars.py",
    "tests/host/test_mask_track_editor.py",
    "tests/host/test_server.py",
    "tests/unit/demo/test_picture_bars.py",
    "tests/unit/demo/test_bars_in_context.py",
    "tests/host/test_comfy_servers.py",
    "tests/unit/demo/test_shown_edits.py",
    "tests/unit/headless/runs/workers/test_local_workers.py",
    "tests/unit/headless/runs/workers/test_ray_workers.py",
    "tests/unit/headless/hosts/ranks/test_together.py",
    "tests/unit/headless/runs/test_pairs_side_by_side.py",
    "tests/unit/media/test_clip_matrix.py",
    "tests/unit/headless/runs/test_batch.py",
    "tests/unit/headless/runs/test_grounding_film.py",
    "tests/unit/headless/runs/test_pairs.py",
    "tests/unit/headless/commands/test_batch_lines.py",
    "tests/unit/headless/runs/test_task.py",
    "tests/unit/windows/test_long_runs.py",
    "tests/unit/media/test_exact_files.py",
    "tests/unit/windows/test_damaged_windows.py",
    "tests/unit/plan/test_memory.py",
    "tests/parity/test_file_forms.py",
    "tests/host/test_benchmark.py",
    "tests/unit/windows/test_kept_work.py",
    "tests/test_cases.py",
    "tests/unit/benchmarks/test_soak.py",
    "tests/host/test_demo_files.py",
    "tests/design/test_cost.py",
    "tests/fuzz/test_clip_mutants.py",
)

WORDS = ("<pad>", "</s>", "<unk>", "make", "it", "sepia", "blue", "remove", "the", "circle")
State = dict[str, Tensor]


def pytest_collection() -> None:
    gc.disable()


def pytest_collection_finish() -> None:
    """Collections leave out all that the imports have made, which stays."""
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], len(places)))


def _native(model: nn.Module, rename: Callable[[str], str]) -> State:
    """Weights under native names; small noise on all, because diffusers starts some layers from zeros."""
    return {
        rename(key): (tensor + 0.02 * torch.randn_like(tensor)).contiguous()
        for key, tensor in model.state_dict().items()
        if key != "encoder.embed_tokens.weight"
    }


def _transformer() -> tuple[State, State]:
    merged = _native(
        WanVACETransformer3DModel(
            num_attention_heads=1,
            num_layers=2,
            ffn_dim=64,
            text_dim=4096,
            freq_dim=256,
            vace_layers=[0],
            vace_in_channels=96,
        ),
        diffusers_to_native,
    )
    backbone = {key: tensor for key, tensor in merged.items() if not key.startswith("vace_")}
    return backbone, {key: merged[key] for key in merged.keys() - backbone.keys()}


def _lora(backbone: State) -> State:
    layer = "blocks.0.self_attn.q"
    width = len(backbone[f"{layer}.weight"])
    return {
        f"diffusion_model.{layer}.lora_A.weight": torch.randn(2, width) / 50,
        f"diffusion_model.{layer}.lora_B.weight": torch.randn(width, 2) / 50,
    }


def _tokenizer() -> str:
    """One that takes any words, as UMT5's own does: templates of every method are run with it."""
    tokenizer = Tokenizer(models.WordPiece({word: i for i, word in enumerate(WORDS)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer.to_str()


@pytest.fixture(scope="session")
def models_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the recipe `demo`, as random weights of two blocks; not to be changed."""
    torch.manual_seed(0)
    backbone, module = _transformer()
    vae = AutoencoderKLWan(base_dim=8)
    text = UMT5EncoderModel(
        UMT5Config(vocab_size=len(WORDS), d_model=16, d_kv=8, d_ff=24, num_layers=1, num_heads=2)
    )
    files: dict[Role, tuple[State, Mapping[str, str]]] = {
        "backbone": (backbone, {}),
        "module": (module, {LAYERS_KEY: "0"}),
        "lora": (_lora(backbone), {}),
        "vae": (_native(vae, vae_diffusers_to_native), {}),
        "text_encoder": (_native(text, umt5_hf_to_wan), {"tokenizer_json": _tokenizer()}),
    }
    folder = tmp_path_factory.mktemp("models")
    for role, (state, metadata) in files.items():
        file = recipe("demo").files_for(role)[0]
        (folder / file.folder).mkdir(exist_ok=True)
        save_file(state, folder / file.folder / file.names[0], dict(metadata))
    return folder


def moving_square(frames: int = 9, height: int = 32, width: int = 32) -> NDArray[np.uint8]:
    """A soft gradient with a bright square that crosses it, [F, H, W, 3]."""
    rows, columns = np.mgrid[:height, :width]
    clip = np.zeros((frames, height, width, 3), np.uint8)
    clip[..., 0] = rows * 200 // height
    clip[..., 2] = columns * 200 // width
    for index in range(frames):
        clip[index, 8:16, index : index + 8] = (220, 180, 40)
    return clip


@pytest.fixture(scope="session")
def clip_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An mp4 of 9 frames, 32x32, 8 fps, without sound."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    write_video(Video(moving_square(), Fraction(8)), path)
    return path
