"""The lists of a data set of pairs, as public trainers read them; paths are relative to its folder.

Source: modelscope/DiffSynth-Studio, examples/wanvideo/model_training (`--dataset_metadata_path` of a CSV whose columns
`--data_file_keys` names); ali-vilab/VACE, whose inference reads prompt, src_video, src_mask and src_ref_images.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from reelpatch.headless.runs.pair_set.store import MASK, SOURCE, TARGET

DIFFSYNTH, VACE, ALL = "metadata.csv", "vace.jsonl", "pairs.jsonl"
DIFFSYNTH_COLUMNS = ("video", "prompt", "vace_video", "vace_video_mask")


def lists_of(records: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[str, str]:
    """The text of every list by its file's name, of the name of each pair's folder and its record.

    Pairs that were found too bad are in `pairs.jsonl` alone. A pair with an instruction for the way back is there twice.
    """
    pairs = list(records)
    edits = [edit for name, record in pairs if not record["problems"] for edit in _edits(name, record)]
    rows = [(edit["target"], edit["prompt"], edit["source"], edit["mask"]) for edit in edits]
    return {
        DIFFSYNTH: _csv(DIFFSYNTH_COLUMNS, rows),
        VACE: _lines(
            {
                "prompt": edit["prompt"],
                "src_video": edit["source"],
                "src_mask": edit["mask"],
                "src_ref_images": None,
                "video": edit["target"],
            }
            for edit in edits
        ),
        ALL: _lines({"pair": name, **record} for name, record in pairs),
    }


def _edits(name: str, record: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """A pair as an edit, and as the edit back."""
    there = (record["instruction"], SOURCE, TARGET)
    back = (record["reverse"], TARGET, SOURCE)
    for prompt, source, target in (there, back):
        if prompt:
            yield {
                "prompt": prompt,
                "source": f"{name}/{source}",
                "target": f"{name}/{target}",
                "mask": f"{name}/{MASK}",
            }


def _csv(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()


def _lines(values: Iterable[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values)
