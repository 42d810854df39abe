"""A recipe as a page for people: what it fixes, and each of its files with where it belongs and whether it is there."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from reelpatch.headless.models.recipe_files import FileStatus
from reelpatch.recipes import Recipe, WeightFile

_INDENT = " " * 16


def recipe_page(record: Recipe, statuses: Sequence[FileStatus] = (), folder: Path | None = None) -> str:
    """The page; without `statuses`, nothing is said of what is there."""
    states = {id(status.file): status for status in statuses}
    lines = [f"{record.title} ({record.name})", *_settings(record), ""]
    lines.append(f"files in {folder}:" if folder else "files, in a models folder of ComfyUI's layout:")
    for file in record.files:
        lines += _file(file)
        if folder is not None:
            lines.append(_row("", _state(states[id(file)], folder)))
    lines += _to_get(statuses)
    return "\n".join(lines) + "\n"


def _settings(record: Recipe) -> Iterator[str]:
    guidance, window = record.guidance, record.window
    steps = "" if guidance.steps is None else f" on steps {', '.join(map(str, sorted(guidance.steps)))}"
    yield _row("licence", record.licence)
    yield _row("source", record.source)
    yield _row("made for", f"{record.width}x{record.height}, {record.frames} frames at {record.fps:g} fps")
    if record.buckets is not None:
        sizes = ", ".join(
            f"{width}x{height}" for height, width in record.buckets.levels[record.buckets.level]
        )
        yield _row("", f"a clip that is fitted is brought to the nearest of these by its aspect: {sizes}")
    yield _row(
        "sampling",
        f"{record.steps} steps, solver {record.solver}, schedule {record.schedule}, shift {record.shift:g}",
    )
    yield _row(
        "guidance", "none: one pass a step" if guidance.scale == 1 else f"{guidance.describe()}{steps}"
    )
    if other := record.reference_guidance:
        yield _row("", f"with references {other.describe()}")
    if skip := record.skip_layers:
        blocks = ", ".join(map(str, skip.blocks))
        yield _row(
            "",
            f"block {blocks} skipped in the unconditional pass, from {skip.start:g} to {skip.end:g} of the run",
        )
    yield _row("edit", f"strength {record.strength:g}, from {window.start:g} to {window.end:g} of the run")
    if record.sharing is not None:
        yield _row("attention", f"shared for {record.sharing.describe()}")
    if record.start_step:
        yield _row("", f"begins at step {record.start_step} of the schedule")
    for number, example in enumerate(record.examples):
        yield _row("" if number else "examples", f'"{example}"')
    if record.negative_prompt:
        yield _row("negative", record.negative_prompt)
    if record.notes:
        yield _row("notes", record.notes)


def _file(file: WeightFile) -> Iterator[str]:
    role = file.role.replace("_", " ")
    strength = f", strength {file.strength:g}" if file.strength != 1 else ""
    yield _row(role, f"{file.folder}/{file.names[0]}{_size(file.size_gb)}, {file.licence}{strength}")
    for name in file.names[1:]:
        yield _row("", f"or {name}{_size(file.other_sizes_gb.get(name))}")
    if file.url or file.unpublished:
        yield _row("", file.url or file.unpublished)


def _state(status: FileStatus, folder: Path) -> str:
    if status.found is not None:
        return f"found: {status.found.path.name}, {status.found.words}"
    places = (folder / status.file.folder / name for name in status.file.names)
    return f"not usable: {status.problem}" if any(place.exists() for place in places) else "missing"


def _to_get(statuses: Sequence[FileStatus]) -> Iterator[str]:
    sizes_gb = [
        status.file.size_gb for status in statuses if status.found is None and not status.file.unpublished
    ]
    if not sizes_gb:
        return
    at_least = "at least " if None in sizes_gb else ""
    total_gb = sum(size for size in sizes_gb if size)
    yield f"{len(sizes_gb)} to get, {at_least}{total_gb:.3g} GB: --download fetches what is missing."


def _size(size_gb: float | None) -> str:
    return "" if size_gb is None else f", {size_gb:.3g} GB"


def _row(head: str, text: str) -> str:
    return f"  {head:14}{text}" if head else f"{_INDENT}{text}"
