"""What several tests share: a models folder of tiny random weights in the true formats, and small clips.

What it needs of PyTorch and its kin is imported where it is used: of several processes (`make test`), the one that hands out
the tests computes nothing.
"""

import gc
import os
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray

if TYPE_CHECKING:
    from xdist.remote import Producer

    from tests.handed_out import WholeFiles

# Tests run side by side: each process, and what it starts, takes its share of the cores.
SHARED_BY = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
if SHARED_BY > 1:
    import torch

    threads = max(1, (os.cpu_count() or 1) // SHARED_BY)
    os.environ["OMP_NUM_THREADS"] = str(threads)
    torch.set_num_threads(threads)

# `make test` hands out whole files, in this order and then as they are found: whoever gets a long one last is waited for.
LONGEST_FIRST = (
    "tests/host/test_browser.py",
    "tests/host/test_mask_track_editor.py",
    "tests/host/test_pair_workflows.py",
    "tests/host/test_inside.py",
    "tests/unit/demo/test_bars.py",
    "tests/host/test_server.py",
    "tests/host/test_comfy_servers.py",
    "tests/unit/demo/test_picture_bars.py",
    "tests/unit/demo/test_bars_in_context.py",
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
    "tests/design/test_cost.py",
    "tests/fuzz/test_clip_mutants.py",
)


def pytest_collection() -> None:
    gc.disable()


def pytest_collection_finish() -> None:
    """Collections leave out all that the imports have made, which stays."""
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], len(places)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: "Producer") -> "WholeFiles | None":
    """Whole files, where no other way to hand out tests is asked for: `-n` alone is `--dist load`."""
    from tests.handed_out import WholeFiles  # xdist need not be there

    return WholeFiles(config, log) if config.getoption("dist") in {"load", "loadfile"} else None


@pytest.fixture(scope="session")
def models_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the recipe `demo`, as random weights of two blocks; not to be changed."""
    from tests.tiny_models import write_models

    folder = tmp_path_factory.mktemp("models")
    write_models(folder)
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
    from reelpatch.media.video_io import Video
    from reelpatch.media.video_write import write_video

    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    write_video(Video(moving_square(), Fraction(8)), path)
    return path
