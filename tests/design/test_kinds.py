"""A kind of edit is known in its folder alone: what else in the product names VACE's types stands here, with the reason."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from reelpatch.edits.registry import EDIT_KINDS
from reelpatch.families.registry import FAMILIES
from reelpatch.recipes import RECIPES

ROOT = Path(__file__).parents[2]
OWN = ("reelpatch/edits/vace/", "reelpatch/recipes/")
# Modules, classes and functions of the folder; kinds of files; the names of layers in files.
NAMED = re.compile(
    r"edits\.vace|\bvace_|\b_?Vace[A-Z]|^(VACE|EDIT_MODULE|WITH_VACE)$|num_vace|vace_(blocks|layers)"
)
FILES = "Weights of VACE lie in files of Wan's models, and what a file is has to be known whatever it is wanted for."
VERB = "The verb `task`, and its node: VACE's own tasks, which no other kind has."
HOST = "ComfyUI shows a kind of edit as nodes of its own; these are VACE's."
CANVAS = "ReCo is VACE on a picture twice as wide, with VACE's module and context."
ALLOWED = {
    "reelpatch/edits/registry.py": "The line of the registry.",
    "reelpatch/families/kinds.py": FILES,
    "reelpatch/families/wan/counts.py": FILES,
    "reelpatch/families/wan/layouts.py": FILES,
    "reelpatch/families/wan/names.py": FILES,
    "reelpatch/families/wan/sizes.py": FILES,
    "reelpatch/weights/convert.py": FILES,
    "reelpatch/weights/header.py": FILES,
    "reelpatch/weights/known_files.py": FILES,
    "reelpatch/weights/lora_header.py": FILES,
    "reelpatch/weights/lora_keys.py": FILES,
    "reelpatch/weights/oddities.py": FILES,
    "reelpatch/headless/commands/convert.py": FILES,
    "reelpatch/headless/commands/file_report.py": FILES,
    "reelpatch/headless/models/wan_transformer.py": FILES,
    "nodes/backbone.py": FILES,
    "nodes/files.py": FILES,
    "reelpatch/headless/runs/pair_set/layouts.py": "Trainers of VACE name the columns of their lists so.",
    "reelpatch/headless/commands/option_values.py": VERB,
    "reelpatch/headless/runs/request.py": VERB,
    "reelpatch/headless/runs/task_layout.py": VERB,
    "reelpatch/headless/runs/task_sheet.py": VERB,
    "nodes/tasks.py": VERB,
    "nodes/extension.py": VERB,
    "reelpatch/edits/canvas/kind.py": CANVAS,
    "reelpatch/edits/canvas/work.py": CANVAS,
    "nodes/context_module.py": CANVAS,
    "nodes/apply.py": HOST,
    "nodes/edit_module.py": HOST,
    "nodes/host.py": "ComfyUI's own merged VACE model is refused as a backbone.",
    "nodes/host_vae.py": "What a VAE of ComfyUI's makes of gray is kept from node to node, as long as the VAE lives.",
}


def names(path: Path) -> Iterator[str]:
    """The identifiers of a file, and its strings but for sentences."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            yield f"{node.module}."
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and " " not in node.value:
            yield node.value


def test_only_its_folder_names_the_types_of_vace() -> None:
    paths = [path for folder in ("reelpatch", "nodes") for path in sorted((ROOT / folder).rglob("*.py"))]
    relative = {path.relative_to(ROOT).as_posix(): path for path in paths}
    found = {
        name: sorted({one for one in names(path) if NAMED.search(one)})
        for name, path in relative.items()
        if not name.startswith(OWN)
    }
    naming = {name: these for name, these in found.items() if these}
    assert {name: these for name, these in naming.items() if name not in ALLOWED} == {}
    assert ALLOWED.keys() - naming.keys() == set()


@pytest.mark.parametrize(
    "line",
    [
        "from reelpatch.edits.vace.work import VaceWork",
        "x = Kind.EDIT_MODULE",
        "key = 'vace_blocks.0.self_attn.q.weight'",
        "isinstance(model, VaceWanModel)",
    ],
)
def test_a_name_would_be_found(tmp_path: Path, line: str) -> None:
    path = tmp_path / "x.py"
    path.write_text(f'"""VACE is told of in prose, which names no vace_ type."""\n{line}\n')
    assert any(NAMED.search(one) for one in names(path))
    path.write_text('"""VACE is told of in prose, which names no vace_ type."""\n')
    assert not any(NAMED.search(one) for one in names(path))


@pytest.mark.parametrize("one", RECIPES.values(), ids=lambda one: one.name)
def test_a_recipe_is_of_a_family_that_its_kind_fits(one) -> None:
    assert one.family in one.edit_kind.families


def test_kinds_fit_families_that_there_are() -> None:
    known = {family.name for family in FAMILIES.all()}
    assert all(set(kind.families) <= known for kind in EDIT_KINDS.all())
