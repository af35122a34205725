#!/usr/bin/env python3
"""Writes constraints.txt: one version of every package that this project with its extra `dev` needs.

    .ci/constraints.py python3.11 python3.12 python3.13

Each Python that is named resolves the newest versions that the ranges in pyproject.toml allow, by pip and without
installing them. Where Pythons differ, lines carry markers; the newest Python's line stands for later ones, too.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
TARGET: Final = ROOT / "constraints.txt"
OURS: Final = "scaler-batch"
HEAD: Final = """\
# Versions that the tests are green with, made by .ci/constraints.py: don't edit by hand.
# The ranges that this project accepts are in pyproject.toml.
"""

Version = tuple[int, ...]


def main(pythons: Sequence[str]) -> None:
    """Resolve with each interpreter and write the file."""
    if not pythons:
        sys.exit(__doc__)
    resolved = dict(map(resolve, pythons))
    TARGET.write_text(HEAD + "".join(f"{line}\n" for line in lines(resolved)))


def resolve(python: str) -> tuple[Version, Mapping[str, str]]:
    """Return the interpreter's minor version, and the version of each package that pip would install there."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([python, "-m", "venv", folder], check=True)
        pip = [f"{folder}/bin/python", "-m", "pip", "--disable-pip-version-check", "--quiet"]
        subprocess.run([*pip, "install", "--upgrade", "pip"], check=True)
        report = f"{folder}/report.json"
        subprocess.run(
            [*pip, "install", "--dry-run", "--ignore-installed", "--report", report, f"{ROOT}[dev]"], check=True
        )
        found = json.loads(Path(report).read_text())
    minor = tuple(map(int, found["environment"]["python_version"].split(".")))
    metadata = [one["metadata"] for one in found["install"]]
    return minor, {normalized(one["name"]): one["version"] for one in metadata if normalized(one["name"]) != OURS}


def normalized(name: str) -> str:
    """Spell a package's name as https://packaging.python.org/en/latest/specifications/name-normalization/ has it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def lines(resolved: Mapping[Version, Mapping[str, str]]) -> Iterator[str]:
    """Yield one line for each version of each package, with a marker where Pythons differ."""
    ordered = sorted(resolved)
    for name in sorted({name for versions in resolved.values() for name in versions}):
        pythons = defaultdict(list)
        for python in ordered:
            if version := resolved[python].get(name):
                pythons[version].append(python)
        for version, those in pythons.items():
            later = those == ordered[-len(those) :]
            yield f"{name}=={version}" if len(pythons) == 1 else f"{name}=={version} ; {marker(those, later)}"


def marker(pythons: Sequence[Version], later: bool) -> str:
    """Return the environment marker of some Pythons, in order, and of all that come later if so."""
    names = [".".join(map(str, python)) for python in pythons]
    return f'python_version >= "{names[0]}"' if later else " or ".join(f'python_version == "{name}"' for name in names)


if __name__ == "__main__":
    main(sys.argv[1:])
