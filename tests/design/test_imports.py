"""Imports run one way, and only where design allows them; read from the source, nothing is imported."""

import ast
import runpy
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Each level may import itself and what stands before it.
LEVELS = (
    ("reelpatch.errors", "reelpatch.progress"),
    ("reelpatch.families",),
    ("reelpatch.weights", "reelpatch.sampling", "reelpatch.clips"),
    ("reelpatch.edits",),
    ("reelpatch.media",),
    ("reelpatch.windows",),
    ("reelpatch.recipes", "reelpatch.measure", "reelpatch.plan"),
    ("reelpatch.headless", "nodes"),
)
ENGINE = frozenset({"torch", "einops", "safetensors", "numpy"})
HEADLESS = ENGINE | {
    *(
        "PIL",
        "accelerate",
        "av",
        "cv2",
        "diffusers",
        "ftfy",
        "huggingface_hub",
        "peft",
        "psutil",
        "requests",
        "sentencepiece",
        "tokenizers",
        "tqdm",
    ),
    *("fsspec", "ray", "transformers", "websockets"),
}
# All of them come with ComfyUI; `server` is its own.
COMFY = ENGINE | {
    *(
        "aiohttp",
        "comfy",
        "comfy_api",
        "comfy_execution",
        "folder_paths",
        "latent_preview",
        "node_helpers",
        "server",
        "tokenizers",
    ),
}
FILES = sorted(path for folder in ("reelpatch", "nodes") for path in (ROOT / folder).rglob("*.py"))


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@cache
def imports(path: Path) -> tuple[str, ...]:
    """Full names of all that a file imports, within functions too."""
    return tuple(_imports(path))


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module
            if path.parent == ROOT / "nodes":  # ComfyUI knows the folder by another name
                module = f"nodes.{module}" if node.level else module
            else:
                assert node.level == 0, f"{path} imports relatively"
            yield from (f"{module}.{alias.name}" for alias in node.names)


def is_within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def level_of(name: str) -> int | None:
    return next((i for i, names in enumerate(LEVELS) if any(is_within(name, one) for one in names)), None)


def foreign(path: Path) -> set[str]:
    """Top-level packages that are neither ours nor Python's."""
    tops = {name.split(".")[0] for name in imports(path)}
    own = {"reelpatch", "nodes"} if path.parent == ROOT / "nodes" else {"reelpatch"}
    return {top for top in tops if top not in sys.stdlib_module_names} - own


def allowed(path: Path) -> frozenset[str]:
    name = module_name(path)
    if is_within(name, "nodes"):
        return COMFY
    if is_within(name, "reelpatch.headless") or name == "reelpatch.__main__":
        return HEADLESS
    # Clips in files need what ComfyUI reads its own with. Control maps, motion and plots wait until they are called: ComfyUI has Pillow, but may lack OpenCV.
    drawn = {
        "reelpatch.clips": {"cv2"},
        "reelpatch.edits": {"cv2"},
        "reelpatch.measure": {"cv2", "PIL"},
        "reelpatch.media": {"av", "PIL"},
        "reelpatch.windows": {"av"},
    }
    return ENGINE | next((more for room, more in drawn.items() if is_within(name, room)), set())


def test_there_is_something_to_look_at() -> None:
    assert {"reelpatch.families.lattice", "reelpatch.headless.commands.main"} <= {
        module_name(path) for path in FILES
    }


def test_files_import_only_what_their_rooms_may() -> None:
    wrong = {module_name(path): foreign(path) - allowed(path) for path in FILES}
    assert {name: found for name, found in wrong.items() if found} == {}


def against_the_way(path: Path) -> set[str]:
    """The imports of a file that stand above it, or in the other host."""
    own = level_of(module_name(path))
    if own is None:  # the package itself and `python -m reelpatch`
        return set()
    found = {name for name in imports(path) if (level_of(name) or 0) > own}
    hosts = {"reelpatch.headless": "nodes", "nodes": "reelpatch.headless"}
    others = [other for host, other in hosts.items() if is_within(module_name(path), host)]
    return found | {name for name in imports(path) for other in others if is_within(name, other)}


def test_imports_run_one_way() -> None:
    wrong = {module_name(path): against_the_way(path) for path in FILES}
    assert {name: found for name, found in wrong.items() if found} == {}


def circles(arrows: dict[str, set[str]]) -> list[list[str]]:
    """The groups of modules that reach each other."""
    reached: dict[str, set[str]] = {}
    for start in arrows:
        found, waiting = set(), [start]
        while waiting:
            for name in arrows[waiting.pop()] - found:
                found.add(name)
                waiting.append(name)
        reached[start] = found
    groups = {frozenset({one} | {other for other in reached[one] if one in reached[other]}) for one in arrows}
    return sorted(sorted(group) for group in groups if len(group) > 1)


def arrows_between(paths: list[Path]) -> dict[str, set[str]]:
    """Which module imports which, imports within functions included."""
    names = {module_name(path) for path in paths}

    def module_of(name: str) -> str | None:
        return next((one for one in (name, name.rpartition(".")[0]) if one in names), None)

    return {
        module_name(path): {found for name in imports(path) if (found := module_of(name))}
        - {module_name(path)}
        for path in paths
    }


def test_no_imports_run_in_a_circle() -> None:
    assert circles(arrows_between(FILES)) == []


def test_a_circle_would_be_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == [["b", "c"]]


def test_the_top_of_the_host_is_short() -> None:
    entries = {path.name for path in (ROOT / "reelpatch" / "headless").iterdir()} - {"__pycache__"}
    assert len(entries) <= 12


def test_a_wrong_import_would_be_found(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    path.write_text("def f():\n    from reelpatch.headless.runs import edit\n    import av.container\n")
    assert list(imports(path)) == ["reelpatch.headless.runs.edit", "av.container"]
    assert foreign(path) == {"av"}
    assert level_of("reelpatch.headless.runs.edit") == len(LEVELS) - 1


def test_the_root_is_harmless_without_comfyui() -> None:
    names = runpy.run_path(str(ROOT / "__init__.py"))
    assert names["WEB_DIRECTORY"] == "./js"
    assert "NODE_CLASS_MAPPINGS" not in names
