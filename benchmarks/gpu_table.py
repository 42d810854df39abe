"""The figures of `benchmarks.gpu` as Markdown."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from benchmarks.attention_kernels import rows as attention_rows

Section = dict[str, Any]


def table(found: Section, title: str) -> list[str]:
    """The figures as Markdown; of the sections that are there."""
    lines = [f"# {title}", ""]
    lines += [f"{name}: {value}  " for name, value in found["machine"].items() if value is not None]
    lines += [f"matmul: {found['matmul_tflop_per_s']:.0f} TFLOP/s  "]
    for name, rows in ROWS.items():
        if name in found:
            lines += ["", *rows(found[name])]
    return lines


def _forward_rows(section: Section) -> Iterator[str]:
    yield "| forward | ours | diffusers | ours / diffusers | of a matmul's rate | peak, ours and diffusers |"
    yield "|---|---|---|---|---|---|"
    for name, one in section.items():
        peaks = " and ".join(_gib(one["peak_allocated_gib"][who]) for who in ("ours", "diffusers"))
        yield (
            f"| {name} | {one['ours']['median_s']:.3f} s | {one['diffusers']['median_s']:.3f} s | "
            f"{one['ratio']:.3f} ({one['ratio_p10']:.3f}-{one['ratio_p90']:.3f}) | {one['ours']['of_matmul']:.0%} | {peaks} |"
        )


def _product_rows(one: Section) -> Iterator[str]:
    yield (
        f"One fp8 feed-forward layer multiplied in fp8 takes {one['ratio']:.3f} ({one['ratio_p10']:.3f}-"
        f"{one['ratio_p90']:.3f}) of the time with widened weights, {one['relative_error']:.1%} off."
    )


def _edit_rows(section: Section) -> Iterator[str]:
    yield "| 4 steps | forwards | seconds |"
    yield "|---|---|---|"
    for name, one in section.items():
        yield f"| {name} | {one['forwards']} | {one['median_s']:.2f} |"


def _vae_rows(section: Section) -> Iterator[str]:
    yield "| VAE | seconds | peak allocated |"
    yield "|---|---|---|"
    for name, one in section.items():
        yield f"| {name} | {one['median_s']:.2f} | {_gib(one['peak_allocated_gib'])} |"


def _seam_rows(section: Section) -> Iterator[str]:
    yield f"Where tiles of the VAE meet, {section['against_whole']:.3f} of a whole picture's change."


def _cap_rows(section: Section) -> Iterator[str]:
    yield "| cap | blocks streamed | forward | slowdown | peak allocated | taken |"
    yield "|---|---|---|---|---|---|"
    for cap, one in section.items():
        if "skipped" in one:
            yield f"| {cap} | not measured: {one['skipped']} | | | | |"
            continue
        peaks = " | ".join(_gib(one.get(name)) for name in ("peak_allocated_gib", "taken_gib"))
        yield (
            f"| {cap} | {one['streamed']} of {one['blocks']} | {one['median_s']:.3f} s | {one['slowdown']:.3f} | {peaks} |"
        )


def _gib(size: float | None) -> str:
    return "not measured" if size is None else f"{size:.2f} GiB"


ROWS: dict[str, Callable[[Section], Iterable[str]]] = {
    "forwards": _forward_rows,
    "products": _product_rows,
    "edits": _edit_rows,
    "vae": _vae_rows,
    "attention": attention_rows,
    "seams": _seam_rows,
    "caps": _cap_rows,
}
