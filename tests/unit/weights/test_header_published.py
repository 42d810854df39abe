"""Every file people have is told by its header, and each of its keys is mapped or reported."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch

from reelpatch.families.hunyuan15.files import HunyuanFile
from reelpatch.weights import storage
from reelpatch.weights.header import Kind, KnownFile, identify
from reelpatch.weights.lora import match_lora
from reelpatch.weights.oddities import oddities
from tests.unit.weights.fixtures import models
from tests.unit.weights.fixtures.files import write
from tests.unit.weights.fixtures.published import PUBLISHED
from tests.unit.weights.fixtures.record import Published

Told = Callable[[Published], KnownFile]
NOT_OURS = {
    Kind.TINY_VAE,
    Kind.OTHER_VAE,
    Kind.OTHER_TEXT_ENCODER,
    Kind.CLIP_VISION,
    Kind.HUNYUAN_VIDEO,
    Kind.PART,
    *HunyuanFile,
}
WAN = [one for one in PUBLISHED if one.kind not in NOT_OURS | {Kind.LORA}]
LORAS = [one for one in PUBLISHED if one.kind is Kind.LORA]


def name_of(one: Published) -> str:
    return one.name


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """What a file is told as, under a name that says nothing."""
    folder = tmp_path_factory.mktemp("headers")

    @cache
    def tell(index: int) -> KnownFile:
        path = write(folder / "x.bin", PUBLISHED[index].header(), PUBLISHED[index].metadata)
        return identify(path)

    return lambda one: tell(PUBLISHED.index(one))


def test_there_are_enough() -> None:
    assert len(PUBLISHED) >= 40
    assert all(one.source for one in PUBLISHED)


@pytest.mark.parametrize("one", PUBLISHED, ids=name_of)
def test_a_published_file_is_told_by_its_header(told: Told, one: Published) -> None:
    file = told(one)
    assert file.kind is one.kind
    assert one.variant in file.variant, file.variant
    assert file.size == one.size
    assert storage.main_dtype(file.tensors) == one.dtype
    assert file.scaling == one.scaling
    assert file.naming == one.naming
    assert file.has_tokenizer == one.has_tokenizer
    if one.num_parameters is not None:
        assert file.num_parameters == one.num_parameters
    if one.gb is not None:
        assert file.num_bytes / 1e9 == pytest.approx(one.gb, rel=0.03)


@pytest.mark.parametrize("one", WAN, ids=name_of)
def test_every_key_has_its_native_name_and_nothing_is_odd(told: Told, one: Published) -> None:
    file = replace(told(one), path=Path(one.name))
    assert sorted(file.keys.values()) == sorted(file.tensors)
    assert file.fit is not None
    assert (file.fit.missing, file.fit.unknown, file.fit.misshapen) == ((), (), ())
    assert oddities(file) == ()


@pytest.mark.parametrize("one", [one for one in PUBLISHED if one.kind in HunyuanFile], ids=name_of)
def test_nothing_is_odd_about_files_of_hunyuan(told: Told, one: Published) -> None:
    assert oddities(replace(told(one), path=Path(one.name))) == ()


@pytest.mark.parametrize("one", LORAS, ids=name_of)
def test_every_key_of_a_lora_is_matched_or_reported(told: Told, one: Published) -> None:
    file = replace(told(one), path=Path(one.name))
    # Full size without memory: every element is the same zero.
    zero = torch.zeros(())
    found = match_lora({key: zero.expand(info.shape) for key, info in file.tensors.items()}, _base(one))
    assert set(found.unmatched) <= set(file.tensors)
    assert all(found.unmatched.values())
    used = len(file.tensors) - len(found.unmatched)
    assert used >= 2 * len(found.pairs)
    assert not oddities(file)


def _base(one: Published) -> models.Shapes:
    if "1.3B" in one.size:
        return models.t2v_1_3b()
    if "5B" in one.size:
        return models.ti2v_5b()
    return models.i2v_14b() | models.vace_module_14b()
