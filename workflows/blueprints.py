"""What ComfyUI's node library offers of this pack as one node each; `python -m workflows.blueprints` writes the files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from reelpatch.recipes import RECIPES
from workflows.beside_nodes import mask_by_word
from workflows.caption_subgraph import OF_THE_CLIP, caption_subgraph
from workflows.channel_subgraph import channel_subgraph
from workflows.context_subgraph import context_subgraph
from workflows.edit_subgraphs import edit_subgraph, enhance_subgraph
from workflows.pair_subgraph import OF_A_DOG, pair_subgraph
from workflows.picture_subgraph import picture_subgraph
from workflows.reference_subgraph import reference_subgraph
from workflows.subgraph import Subgraph, blueprint
from workflows.task_subgraph import TASK_KINDS, task_subgraph

FOLDER = Path(__file__).parents[1] / "subgraphs"
INSTRUCTION = "Make it a Japanese anime style, cel shading video."
PICTURE_INSTRUCTION = RECIPES["chronoedit"].examples[0]
IN_CONTEXT = ("videocof-fast", "reco", "easyv2v")
PROMPT = "A brown dog is running on the beach."


def blueprints() -> list[Subgraph]:
    """Every one, with the recipe that it is offered with."""
    return [
        edit_subgraph(RECIPES["ditto-global"], INSTRUCTION),
        enhance_subgraph(RECIPES["enhance"], ""),
        *(context_subgraph(RECIPES[name], RECIPES[name].examples[0]) for name in IN_CONTEXT),
        reference_subgraph(RECIPES["bernini-r-1.3b-r2v"], RECIPES["bernini-r-1.3b-r2v"].examples[0]),
        channel_subgraph(RECIPES["capybara"], RECIPES["capybara"].examples[0]),
        picture_subgraph(RECIPES["chronoedit-8step"], PICTURE_INSTRUCTION),
        pair_subgraph(RECIPES["shared-attention-1.3b"], OF_A_DOG),
        caption_subgraph(RECIPES["shared-attention-1.3b"], OF_THE_CLIP),
        mask_by_word(""),
        *(task_subgraph(kind, RECIPES["vdot"], PROMPT) for kind in TASK_KINDS.values()),
    ]


def files() -> dict[Path, dict[str, Any]]:
    """What is in each file."""
    return {FOLDER / f"{one.name}.json": blueprint(one) for one in blueprints()}


def write() -> None:
    """Writes all of them."""
    FOLDER.mkdir(exist_ok=True)
    for path, form in files().items():
        path.write_text(json.dumps(form, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write()
