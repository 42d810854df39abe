"""The types that the nodes are checked against (`typings/`) name what this ComfyUI really has."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from pathlib import Path

STUBS = Path(__file__).parents[3] / "typings"
FILES = sorted(STUBS.rglob("*.pyi"))


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(STUBS).with_suffix("").parts).removesuffix(".__init__")


def lacking(owner: object, body: list[ast.stmt], place: str) -> list[str]:
    """What a stub's body names and the real module or class has not."""
    found = []
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            real = getattr(owner, node.name, None)
            found += (
                [f"{place}.{node.name}"] if real is None else lacking(real, node.body, f"{place}.{node.name}")
            )
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found += wrong_arguments(getattr(owner, node.name, None), node, f"{place}.{node.name}")
        elif isinstance(node, ast.AnnAssign) and not inspect.isclass(
            owner
        ):  # a class's are set by its __init__
            found += (
                [] if hasattr(owner, ast.unparse(node.target)) else [f"{place}.{ast.unparse(node.target)}"]
            )
    return found


def wrong_arguments(real: object, stub: ast.FunctionDef | ast.AsyncFunctionDef, place: str) -> list[str]:
    if real is None:
        return [place]
    parameters = inspect.signature(real).parameters  # of a bound classmethod without `cls`
    takes_any = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values())
    named = [one.arg for one in (*stub.args.posonlyargs, *stub.args.args, *stub.args.kwonlyargs)]
    return [
        f"{place}({name})"
        for name in named
        if name not in parameters and name not in ("self", "cls") and not takes_any
    ]


def check_every_name_and_argument_is_there():
    wrong = []
    for path in FILES:
        body = ast.parse(path.read_text(encoding="utf-8")).body
        wrong += lacking(pkgutil.resolve_name(module_name(path)), body, module_name(path))
    assert not wrong, wrong
    return len(FILES)


def check_a_wrong_stub_would_be_found():
    source = "def load_lora(lora, never): ...\nclass Nothing: ...\nx: int\n"
    found = lacking(importlib.import_module("comfy.lora"), ast.parse(source).body, "lora")
    assert found == ["lora.load_lora(never)", "lora.Nothing", "lora.x"], found
