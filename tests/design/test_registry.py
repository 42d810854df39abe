"""What the Comfy Registry and the forge read: it parses, names files and commands that exist, and agrees with the package."""

from __future__ import annotations

import fnmatch
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import tomllib
import yaml
from packaging.specifiers import SpecifierSet

import reelpatch
from reelpatch.headless.commands.main import build_parser
from workflows.graph import PACK_VERSION

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
COMFY = PROJECT["tool"]["comfy"]
FORGE = sorted((ROOT / ".github").rglob("*.yml"))
# What ComfyUI reads of the pack, and what the nodes import.
NEEDED = (
    "__init__.py",
    "pyproject.toml",
    "requirements.txt",
    "LICENSE",
    "README.md",
    "nodes",
    "js",
    "locales",
)
# Of what is in workflows, only the Python that makes it stays at home.
SHOWN = ("workflows/*.json", "workflows/*.jpg", "workflows/reelpatch_demo_*", "reelpatch/**/*")


def parsed(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def tracked() -> list[str]:
    """Every file of the project."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("no git here to list the files by")
    return listed.stdout.splitlines()


def ignored(path: str) -> bool:
    """Whether .comfyignore, which is read like .gitignore, leaves a file out of what is published."""
    patterns = (ROOT / ".comfyignore").read_text(encoding="utf-8").split()
    return any(path.startswith(one) if one.endswith("/") else fnmatch.fnmatch(path, one) for one in patterns)


def test_what_is_published_is_what_comfyui_needs() -> None:
    files = tracked()
    for pattern in (ROOT / ".comfyignore").read_text(encoding="utf-8").split():
        assert any(ignored(file) for file in files if fnmatch.fnmatch(file, pattern.rstrip("/") + "*")), (
            pattern
        )
    left_out = [file for file in files if ignored(file)]
    assert not [file for file in left_out if file.split("/")[0] in NEEDED]
    for pattern in SHOWN:
        here = {str(path.relative_to(ROOT)) for path in ROOT.glob(pattern) if path.is_file()}
        assert here
        assert not here & set(left_out), pattern
    for folder in ("benchmarks", "tests", "training", ".github"):
        assert not [file for file in files if file.startswith(f"{folder}/") and not ignored(file)]


@pytest.mark.parametrize(("name", "shape"), [("Icon", (1, 1)), ("Banner", (21, 9))])
def test_icon_and_banner_are_ours_and_of_the_registry_s_shape(name: str, shape: tuple[int, int]) -> None:
    owner = PROJECT["project"]["urls"]["Repository"].removeprefix("https://github.com/")
    path = ROOT / COMFY[name].removeprefix(f"https://raw.githubusercontent.com/{owner}/main/")
    assert path.is_file(), COMFY[name]
    picture = ElementTree.parse(path).getroot()
    width, height = (int(picture.attrib[side]) for side in ("width", "height"))
    assert width * shape[1] == height * shape[0]
    assert name != "Icon" or width <= 400
    assert not any("href" in key for part in picture.iter() for key in part.attrib)  # nothing is fetched


def test_the_addresses_are_one() -> None:
    urls = PROJECT["project"]["urls"]
    for address in urls.values():
        assert address.startswith(urls["Repository"])
        file = address.partition("/blob/main/")[2]
        assert not file or (ROOT / file).is_file()


def test_the_registry_s_words_are_its_own() -> None:
    assert re.fullmatch(r"[a-z][a-z0-9._-]*", PROJECT["project"]["name"])
    assert PROJECT["project"]["classifiers"] == ["Operating System :: OS Independent"]
    assert COMFY["version"]["path"] == "reelpatch/__init__.py"
    assert re.fullmatch(r"\d+\.\d+\.\d+", reelpatch.__version__)
    assert reelpatch.__version__ == PACK_VERSION
    floor = COMFY["requires-comfyui"].removeprefix(">=").removesuffix(".0")
    assert f"ComfyUI {floor} or newer" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", FORGE, ids=lambda path: path.name)
def test_the_forge_s_files_parse_and_run_what_exists(path: Path) -> None:
    assert parsed(path)
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    for job in parsed(path).get("jobs", {}).values():
        for step in job["steps"]:
            assert ("run" in step) != ("uses" in step)
            assert not step.get("run", "").startswith("make") or step["run"].split()[1] in targets


def test_the_suite_runs_on_the_oldest_and_the_newest_python() -> None:
    matrix = parsed(ROOT / ".github/workflows/tests.yml")["jobs"]["tests"]["strategy"]["matrix"]["python"]
    allowed = SpecifierSet(PROJECT["project"]["requires-python"])
    minors = [f"3.{minor}" for minor in range(8, 30) if allowed.contains(f"3.{minor}.0")]
    assert matrix == [minors[0], minors[-1]]


def test_a_tag_that_is_not_the_version_publishes_nothing() -> None:
    publish = parsed(ROOT / ".github/workflows/publish.yml")
    assert publish[True] == {"push": {"tags": ["v*"]}}  # YAML reads "on" as true
    check = next(step["run"] for step in publish["jobs"]["publish"]["steps"] if "run" in step)
    for tag, code in ((f"v{reelpatch.__version__}", 0), ("v99.0.0", 1)):
        done = subprocess.run(
            ["bash", "-ec", check],
            cwd=ROOT,
            env={"GITHUB_REF_NAME": tag, "PATH": "/usr/bin:/bin"},
            check=False,
        )
        assert done.returncode == code


FORMS = [path for path in FORGE if path.parent.name == "ISSUE_TEMPLATE" and path.name != "config.yml"]


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_issue_forms_ask_for_what_the_commands_print(path: Path) -> None:
    form = parsed(path)
    assert {"name", "description", "body"} <= set(form)
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert len({field["id"] for field in fields}) == len(fields)
    words = " ".join(str(field["attributes"]) for field in fields)
    commands = re.findall(r"`reelpatch ([^`]+)`", words)
    assert any(command.startswith("inspect --json") for command in commands)
    for command in commands:
        build_parser().parse_args(shlex.split(command.replace("...", "").replace("NAME", "demo")))
