"""What is said about versions is what pyproject.toml says."""

import re
from collections.abc import Iterator
from pathlib import Path

import tomllib
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def pins(name: str) -> dict[str, Version]:
    """The exact versions of a file of constraints."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    found = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {one.name.replace("_", "-").lower(): exact(one) for one in found}


def exact(requirement: Requirement) -> Version:
    (specifier,) = requirement.specifier
    assert specifier.operator == "==", requirement
    return Version(specifier.version)


def requirements() -> Iterator[Requirement]:
    """What the engine, the diffusers host and the tests ask for."""
    extras = PROJECT["optional-dependencies"]
    for text in (*PROJECT["dependencies"], *extras["headless"], *extras["test"]):
        yield Requirement(text)


def lower_bounds() -> dict[str, Version]:
    bounds: dict[str, Version] = {}
    for one in requirements():
        (specifier,) = (part for part in one.specifier if part.operator != "<")
        assert specifier.operator in {">=", "=="}, one
        name = one.name.replace("_", "-").lower()
        bounds[name] = max(bounds.get(name, Version("0")), Version(specifier.version))
    return bounds


def test_the_oldest_set_is_every_lower_bound() -> None:
    assert pins("constraints-oldest.txt") == lower_bounds()


def test_the_usual_set_is_allowed() -> None:
    usual = pins("constraints.txt")
    for one in requirements():
        assert one.specifier.contains(usual[one.name.replace("_", "-").lower()]), one


def test_the_page_names_the_oldest_versions_and_pythons() -> None:
    page = (ROOT / "docs" / "versions.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| ([a-z-]+) \| ([0-9.]+) \|", page, re.MULTILINE)
    assert {name: Version(oldest) for name, oldest in table} == lower_bounds()
    oldest = re.search(r">=(3\.\d+)", PROJECT["requires-python"])
    assert oldest is not None
    assert f"Python {oldest[1]}" in page
