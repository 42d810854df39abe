"""What a large text encoder says is kept on disk, by text, encoder file and dtype."""

import os
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor

from reelpatch.headless.models import embedded_texts as instructions
from reelpatch.headless.models import text_cache
from reelpatch.headless.models.embedded_texts import Instructions
from reelpatch.headless.models.recipe_files import RecipeFiles
from reelpatch.headless.models.text_cache import TextCache, cache_folder
from reelpatch.recipes import recipe
from tests.forked import forked

_FINDERS, _FINDS = 2, 1500  # of them, and of each of them
ROWS = torch.zeros(1, 12, 8, dtype=torch.bfloat16)
ROWS[:, :5] = torch.arange(40).view(1, 5, 8) / 40 + 0.1


@pytest.fixture
def cache(tmp_path: Path) -> TextCache:
    return TextCache(tmp_path / "texts")


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    path = tmp_path / "umt5.safetensors"
    path.write_bytes(b"an encoder")
    return path


def kept(cache: TextCache, encoder: Path, text: str = "make it sepia") -> Tensor | None:
    return cache.find(text, encoder, torch.bfloat16)


def test_rows_come_back_without_the_zeros_below_them(cache: TextCache, encoder: Path) -> None:
    assert kept(cache, encoder) is None
    cache.keep("make it sepia", encoder, torch.bfloat16, ROWS)
    found = kept(cache, encoder)
    assert found is not None
    assert torch.equal(found, ROWS[:, :5])
    assert [path.suffix for path in cache.folder.iterdir()] == [".rows"]


def test_another_text_dtype_or_file_is_another_entry(cache: TextCache, encoder: Path) -> None:
    cache.keep("make it sepia", encoder, torch.bfloat16, ROWS)
    assert kept(cache, encoder, "make it blue") is None
    assert cache.find("make it sepia", encoder, torch.float32) is None
    encoder.write_bytes(b"an anencoder")
    assert kept(cache, encoder) is None


def test_a_damaged_entry_is_none(cache: TextCache, encoder: Path) -> None:
    cache.keep("make it sepia", encoder, torch.bfloat16, ROWS)
    (path,) = cache.folder.iterdir()
    path.write_bytes(path.read_bytes()[:-7])
    assert kept(cache, encoder) is None
    cache.keep("make it sepia", encoder, torch.bfloat16, ROWS)
    assert kept(cache, encoder) is not None


def test_the_entries_used_longest_ago_go(
    cache: TextCache, encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_cache, "_MAX_FILES", 2)
    for age, text in enumerate(("one", "two", "three")):
        if text == "three":
            assert kept(cache, encoder, "one") is not None  # used again
        before = set(cache.folder.glob("*"))
        cache.keep(text, encoder, torch.bfloat16, ROWS)
        for path in set(cache.folder.glob("*")) - before:
            if text != "three":
                os.utime(path, ns=(age, age))
    assert [kept(cache, encoder, text) is not None for text in ("one", "two", "three")] == [True, False, True]


def test_a_folder_that_cannot_be_made_is_no_error(encoder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = TextCache(tmp_path / "file" / "texts")
    cache.keep("make it sepia", encoder, torch.bfloat16, ROWS)
    assert kept(cache, encoder) is None


def test_the_folder_is_the_systems_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "reelpatch" / "texts"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder().parts[-3:] == (".cache", "reelpatch", "texts")


def test_a_large_encoder_is_asked_once_and_never_kept(
    models_folder: Path, cache: TextCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = RecipeFiles.find(recipe("demo"), models_folder).text_encoder
    room: list[str] = []
    work: list[int] = []

    def embed() -> Tensor:
        texts = Instructions(path, dtype=torch.float32, device=torch.device("cpu"), cache=cache)
        rows = texts.embed(
            "make  it sepia", is_streamed=False, make_room=lambda: room.append("made"), on_work=work.append
        )
        assert texts._encoder is None
        return rows

    monkeypatch.setattr(instructions, "KEPT_ENCODER_BYTES", 0)
    first = embed()
    assert (room, work) == (["made"], [0, 1])
    monkeypatch.setattr(instructions, "load_text_encoder", None)
    assert torch.equal(embed(), first)
    assert (room, work) == (["made"], [0, 1, 0, 1])


def test_a_large_encoder_in_which_memory_ended_does_not_stay_on_the_card(
    encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the run that begins again has its room, and may stream it."""
    loaded: list[bool] = []

    class Full:
        def __init__(self, *, is_streamed: bool) -> None:
            loaded.append(is_streamed)
            self.is_streamed = is_streamed

        def embed(self, _text: str) -> Tensor:
            if not self.is_streamed:
                raise torch.OutOfMemoryError
            return ROWS

    monkeypatch.setattr(instructions, "KEPT_ENCODER_BYTES", 0)
    monkeypatch.setattr(
        instructions, "load_text_encoder", lambda _path, *, is_streamed, **_: Full(is_streamed=is_streamed)
    )
    texts = Instructions(encoder, dtype=torch.float32, device=torch.device("cpu"), cache=None)
    embed = partial(texts.embed, "make it sepia", make_room=lambda: None, on_work=lambda _done: None)
    with pytest.raises(torch.OutOfMemoryError):
        embed(is_streamed=False)
    assert torch.equal(embed(is_streamed=True), ROWS)
    assert loaded == [False, True]


def test_only_the_last_few_texts_stay_in_memory(models_folder: Path) -> None:
    path = RecipeFiles.find(recipe("demo"), models_folder).text_encoder
    texts = Instructions(path, dtype=torch.float32, device=torch.device("cpu"), cache=None)
    asked: list[str] = []

    def embed(text: str) -> None:
        texts.embed(
            text, is_streamed=False, make_room=pytest.fail, on_work=lambda done: done or asked.append(text)
        )

    few = [f"make it {word}" for word in ("sepia", "blue", "the circle", "remove", "it")]
    negative = few[0]
    for text in few:
        embed(text)
        embed(negative)
    assert asked == few  # what is used again and again is not embedded again
    assert len(texts._known) == instructions.KEPT_TEXTS < len(few)
    embed(few[1])
    assert asked == [*few, few[1]]


def test_a_small_encoder_stays_and_nothing_is_written(models_folder: Path, cache: TextCache) -> None:
    path = RecipeFiles.find(recipe("demo"), models_folder).text_encoder
    texts = Instructions(path, dtype=torch.float32, device=torch.device("cpu"), cache=cache)
    texts.embed("make it sepia", is_streamed=False, make_room=pytest.fail, on_work=lambda _done: None)
    assert texts._encoder is not None
    assert not cache.folder.exists()


def _keep(cache: TextCache, encoder: Path, turn: int) -> int:
    """Keeps two texts by turns, each of which makes room by forgetting the other, until nobody asks any more."""
    while len(list(cache.folder.parent.glob("*.done"))) < _FINDERS:
        turn += 1
        cache.keep(f"text {turn % 2}", encoder, torch.float32, torch.full((1, 3, 8), turn % 2 + 1.0))
    return 0


def _find(cache: TextCache, encoder: Path, number: int) -> int:
    """Asks for one of the texts again and again; 1 when something else comes back than was kept."""
    try:
        for _ in range(_FINDS):
            found = cache.find("text 0", encoder, torch.float32)
            if found is not None and not torch.equal(found, torch.ones(1, 3, 8)):
                return 1
        return 0
    finally:
        (cache.folder.parent / f"{number}.done").touch()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the processes are forked")
def test_four_processes_keep_find_and_forget_at_once(
    cache: TextCache, encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file is taken away again and again between two looks of those who read it."""
    monkeypatch.setattr(text_cache, "_MAX_FILES", 1)
    calls = [
        (f"{work.__name__}{number}", partial(work, cache, encoder, number))
        for number in range(_FINDERS)
        for work in (_keep, _find)
    ]
    ended = list(forked(calls, jobs=len(calls)))
    assert [(one.code, one.err) for one in ended] == [(0, "")] * len(calls)
    assert not list(cache.folder.glob("*.part"))


def test_a_changed_number_is_no_entry(cache: TextCache, encoder: Path) -> None:
    cache.keep("make it sepia", encoder, torch.bfloat16, ROWS)
    (path,) = cache.folder.iterdir()
    whole = path.read_bytes()
    for place in (0, 40, len(whole) - 1):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert kept(cache, encoder) is None
    path.write_bytes(b"")
    assert kept(cache, encoder) is None
    path.write_bytes(whole)
    assert kept(cache, encoder) is not None


def test_the_entry_of_another_text_is_not_believed(cache: TextCache, encoder: Path) -> None:
    cache.keep("make it sepia", encoder, torch.bfloat16, ROWS)
    (sepia,) = cache.folder.iterdir()
    cache.keep("make it blue", encoder, torch.bfloat16, ROWS + 1)
    (blue,) = set(cache.folder.iterdir()) - {sepia}
    blue.replace(sepia)
    assert kept(cache, encoder) is None
