"""constraints.txt holds one version of every package, and pyproject.toml allows it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from importlib.metadata import distribution

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.paths import ROOT

PYTHONS = ("3.11", "3.12", "3.13")
OURS = "scaler-batch"


def constraints(python: str) -> dict[str, Requirement]:
    """Those of one Python, by name."""
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    pins = [pin for pin in map(Requirement, lines) if pin.marker is None or pin.marker.evaluate(environ(python))]
    names = [canonicalize_name(pin.name) for pin in pins]
    assert len(names) == len(set(names))
    return dict(zip(names, pins, strict=True))


def environ(python: str) -> dict[str, str]:
    return {"python_version": python, "python_full_version": f"{python}.0"}


def declared() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = (project["dependencies"], *project["optional-dependencies"].values())
    return [requirement for group in groups for requirement in map(Requirement, group) if requirement.name != OURS]


@pytest.mark.parametrize("python", PYTHONS)
def test_what_is_declared_is_pinned_within_its_range(python: str) -> None:
    pinned = constraints(python)
    for requirement in declared():
        [pin] = pinned[canonicalize_name(requirement.name)].specifier
        assert pin.operator == "=="
        assert requirement.specifier.contains(pin.version), requirement


def test_every_package_that_these_need_is_pinned() -> None:
    assert needed_here() <= constraints("3.11").keys() | constraints("3.13").keys()


def needed_here() -> set[str]:
    """Everything that this environment must hold, by the metadata of what is installed."""
    found: set[tuple[str, frozenset[str]]] = set()
    waiting = declared()
    while waiting:
        requirement = waiting.pop()
        one = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if one not in found:
            found.add(one)
            waiting += needs_of(requirement)
    return {name for name, _ in found}


def needs_of(requirement: Requirement) -> list[Requirement]:
    needs = [Requirement(text) for text in distribution(requirement.name).requires or ()]
    extras = [{"extra": extra} for extra in requirement.extras or {""}]
    return [need for need in needs if need.marker is None or any(map(need.marker.evaluate, extras))]


def test_no_registry_is_named() -> None:
    assert "://" not in (ROOT / "constraints.txt").read_text()


def test_the_readmes_commands_use_them() -> None:
    commands = [line for line in readme_lines() if "pip install" in line and "--editable" in line]
    assert len(commands) == 2
    assert all("--constraint constraints.txt" in command for command in commands)


def readme_lines() -> Iterable[str]:
    return (ROOT / "README.md").read_text().splitlines()


def test_the_newest_lane_names_tests_that_exist() -> None:
    named = re.findall(r"tests/[\w/]+", (ROOT / ".ci" / "newest").read_text())
    assert named
    assert [path for path in named if not (ROOT / path).is_dir()] == []
