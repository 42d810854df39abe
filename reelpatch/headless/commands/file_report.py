"""What weight files are, where they belong, what they work with and what is odd about them, as data and as text."""

from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

from reelpatch.errors import BadInput
from reelpatch.weights import storage
from reelpatch.weights.header import Kind, KnownFile, identify
from reelpatch.weights.oddities import oddities

_SCALING = {
    "scale_weight": ", with scales in the older style (.scale_weight)",
    "comfy_quant": ", with scales in the newer style (.comfy_quant)",
}


_LABEL_WIDTH = 12


_TEXT_WIDTH = 110


def inspect_files(paths: Sequence[Path]) -> tuple[dict[str, Any], str]:
    """The answer of the verb, as plain data and as text.

    Files that can't be read are shown with the reason, and the others all the same; then the data has an `error`.
    """
    records = [_record(path) for path in paths]
    answer: dict[str, Any] = {"files": records}
    unreadable = [record["error"] for record in records if "error" in record]
    if unreadable:
        more = f" {len(unreadable) - 1} more can't be read." if unreadable[1:] else ""
        answer["error"] = unreadable[0] + more
    return answer, "\n".join(map(_block, records))


def _record(path: Path) -> dict[str, Any]:
    try:
        file = identify(path)
    except BadInput as error:
        return {"path": str(path), "error": str(error)}
    return {
        "path": str(path),
        "kind": file.kind.name.lower(),
        "what": file.words,
        "size": file.size,
        "variant": file.variant,
        "dtype": storage.words_for(storage.main_dtype(file.tensors)),
        "dtypes": storage.dtype_words(file.tensors),
        "scaling": file.scaling,
        "naming": file.naming,
        "tokenizer_inside": file.has_tokenizer,
        "num_bytes": file.num_bytes,
        "num_parameters": file.num_parameters,
        "num_tensors": len(file.tensors),
        "folder": file.kind.folder,
        "works_with": works_with(file),
        "odd": list(oddities(file)),
        "metadata": sorted(file.metadata),
    }


def works_with(file: KnownFile) -> str:
    """What the file serves for, as specific as its header allows."""
    if file.kind is Kind.EDIT_MODULE and file.size:
        return f"any Wan text-to-video backbone of {file.size}; alone it makes no video"
    if file.kind is Kind.BACKBONE and file.size:
        return f"edit modules of {file.size}, in any dtype"
    if file.lora:
        return (
            f"nothing here: it {file.lora.refusal.rstrip('.')}"
            if file.lora.refusal
            else file.lora.base_words(file.size)
        )
    return file.kind.works_with


def _block(record: dict[str, Any]) -> str:
    if "error" in record:
        return f"{record['path']}\n{_line('unreadable', record['error'])}"
    tokenizer = "inside" if record["tokenizer_inside"] else "not inside; it has to lie beside the file"
    numbers = record["num_parameters"]
    rows = (
        ("what", record["what"]),
        (
            "holds",
            f"{_count(numbers)} numbers in {record['num_tensors']} tensors, {_bytes(record['num_bytes'])}",
        ),
        ("dtype", record["dtypes"] + _SCALING.get(record["scaling"], "")),
        ("names", record["naming"]),
        ("tokenizer", tokenizer if record["kind"] == "umt5" else ""),
        ("belongs in", f"models/{record['folder']}" if record["folder"] else ""),
        ("works with", record["works_with"]),
        *(("odd", odd) for odd in record["odd"] or ["nothing"]),
    )
    return f"{record['path']}\n{''.join(_line(label, text) for label, text in rows if text)}"


def _line(label: str, text: str) -> str:
    indent = " " * (2 + _LABEL_WIDTH)
    return f"  {label:{_LABEL_WIDTH}}{fill(text, _TEXT_WIDTH, initial_indent=indent, subsequent_indent=indent).strip()}\n"


def _count(number: int) -> str:
    for unit, name in ((10**9, "billion"), (10**6, "million"), (10**3, "thousand")):
        if number >= unit:
            return f"{number / unit:.3g} {name}"
    return str(number)


def _bytes(number: int) -> str:
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if number >= unit:
            return f"{number / unit:.3g} {name}"
    return f"{number} bytes"
