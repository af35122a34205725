"""The structure of the four packages: size of folders, import circles, class names, docstrings, function lengths."""

from __future__ import annotations

import ast
import re
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from tests.support.paths import ROOT

PACKAGES: Final = ("console", "engine", "provisioner", "container")
MODULES_A_FOLDER: Final = 16
FUNCTION_LINES: Final = {"median": 5, "p90": 13}
"""As they were before the rooms: a rearrangement is no licence for longer functions."""

WORDS: Final = frozenset(
    {
        *("certainty", "command", "detail", "error", "evidence", "kind", "label", "message", "note", "reason", "state"),
        *("status", "summary", "text", "title", "unit", "verdict", "why"),
    }
)
"""Names of what is written for people."""
READERS_OF_FOREIGN_WORDS: Final = frozenset(
    {
        "console.tui.drawing.wrapping",  # blanks, where a line is folded
        "console.tui.export",  # what a spreadsheet would take for a formula
        "console.tui.logs.log_levels",  # a job's own lines: JSON, and the indent of a traceback
        "container.batch_job_settings",  # the syntax of an option, `name=value`
        "engine.aws.error_codes",  # AWS's words for a wrong clock and for a disabled queue
        "engine.backends.batch.introspect.log_stream",  # CloudWatch Logs: which of group and stream is absent
        "engine.backends.batch.track.failures.failure",  # Batch's statusReason
        "engine.code.ignored",  # the syntax of git's patterns
        "engine.diagnosis.reasons",  # Batch's statusReason
        "engine.diagnosis.states",  # Batch's statusReason
    }
)

SECONDS_SPELLED_OUT: Final = re.compile(r"_?[A-Z]\w*_SECONDS")

Definition = ast.FunctionDef | ast.AsyncFunctionDef
Public = Definition | ast.ClassDef


@cache
def modules() -> Mapping[str, Path]:
    """Every module of the four packages by its dotted name."""
    paths = (path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    return {dotted(path): path for path in paths}


def dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def targets(node: ast.AST) -> Iterator[str]:
    """The modules that an import names; `from a import b` is `a.b` where that is a module."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        for alias in node.names:
            inner = f"{node.module}.{alias.name}"
            yield inner if inner in modules() else node.module


def imports(module: str) -> set[str]:
    """At any place: inside a function and for type checkers, too."""
    named = {name for node in ast.walk(tree(modules()[module])) for name in targets(node)}
    return {name for name in named if name in modules() and name != module}


def circles(edges: Mapping[str, set[str]]) -> list[list[str]]:
    """Strongly connected components of more than one module, by Tarjan's algorithm."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        order[module] = low[module] = len(order)
        stack.append(module)
        for target in edges[module]:
            if target not in order:
                visit(target)
                low[module] = min(low[module], low[target])
            elif target in stack:
                low[module] = min(low[module], order[target])
        if low[module] == order[module]:
            component = stack[stack.index(module) :]
            del stack[stack.index(module) :]
            if len(component) > 1:
                found.append(sorted(component))

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(10 * len(edges) + limit)
    try:
        for module in edges:
            if module not in order:
                visit(module)
    finally:
        sys.setrecursionlimit(limit)
    return found


def reads_words(node: ast.AST) -> bool:
    """A test of how text for people begins or ends, or of what stands in it."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr in ("startswith", "endswith") and name_of(node.func.value) in WORDS
    if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn):
        is_text = isinstance(node.left, ast.Constant) and isinstance(node.left.value, str)
        return is_text and name_of(node.comparators[0]) in WORDS
    return False


def name_of(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def public_definitions(body: list[ast.stmt], owner: str = "") -> Iterator[tuple[str, Public]]:
    for node in body:
        if isinstance(node, Public) and not node.name.startswith("_"):
            yield f"{owner}{node.name}", node
            if isinstance(node, ast.ClassDef):
                yield from public_definitions(node.body, f"{node.name}.")


def test_no_folder_holds_more_modules_than_one_takes_in() -> None:
    counts: dict[Path, int] = defaultdict(int)
    for path in [*modules().values(), *(ROOT / "tests").rglob("*.py")]:
        counts[path.parent] += 1
    assert {str(folder): count for folder, count in counts.items() if count > MODULES_A_FOLDER} == {}


def test_no_import_runs_in_a_circle() -> None:
    assert circles({module: imports(module) for module in modules()}) == []


def test_circles_are_seen() -> None:
    edges = {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": set[str]()}
    assert circles(edges) == [["a", "b", "c"]]


def test_no_class_name_is_used_twice() -> None:
    homes: dict[str, list[str]] = defaultdict(list)
    for module, path in modules().items():
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ClassDef):
                homes[node.name].append(module)
    assert {name: places for name, places in homes.items() if len(places) > 1} == {}


@pytest.mark.parametrize("package", PACKAGES)
def test_everything_public_has_a_docstring(package: str) -> None:
    paths = {module: path for module, path in modules().items() if module.partition(".")[0] == package}
    bare = [module for module, path in paths.items() if not ast.get_docstring(tree(path))]
    bare += [
        f"{module}:{node.lineno} {name}"
        for module, path in paths.items()
        for name, node in public_definitions(tree(path).body)
        if not ast.get_docstring(node)
    ]
    assert bare == []


def test_functions_stay_short() -> None:
    lengths = [
        (node.end_lineno or node.lineno) - node.lineno + 1
        for path in modules().values()
        for node in ast.walk(tree(path))
        if isinstance(node, Definition)
    ]
    deciles = statistics.quantiles(lengths, n=10)
    assert (statistics.median(lengths), deciles[8]) <= (FUNCTION_LINES["median"], FUNCTION_LINES["p90"])


def test_constants_of_time_end_alike() -> None:
    named = {
        f"{module}: {node.id}"
        for module, path in modules().items()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Name) and SECONDS_SPELLED_OUT.fullmatch(node.id)
    }
    assert named == set()


def test_no_sentence_of_ours_is_read_for_its_meaning() -> None:
    """Only words of others are: AWS gives some of its reasons as sentences alone."""
    read = {
        f"{module}: {ast.unparse(node)}"
        for module, path in modules().items()
        if module not in READERS_OF_FOREIGN_WORDS
        for node in ast.walk(tree(path))
        if reads_words(node)
    }
    assert read == set()


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("diagnosis.verdict.startswith('blocked')", True),
        ("'denied' in status", True),
        ("quota.unit.endswith('/s')", True),
        ("path.endswith('.toml')", False),
        ("state in ENDED", False),
    ],
)
def test_readers_of_words_are_seen(source: str, expected: bool) -> None:
    assert reads_words(ast.parse(source, mode="eval").body) is expected


def test_no_code_of_python_runs_between_fork_and_exec() -> None:
    """In a process with threads it may wait for ever there; tests have them as well."""
    told = {
        path.relative_to(ROOT).as_posix()
        for path in [*modules().values(), *(ROOT / "tests").rglob("*.py")]
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and any(keyword.arg == "preexec_fn" for keyword in node.keywords)
    }
    assert told == {"provisioner/local/processes/parent_watch.py"}  # a process with one thread


def test_no_program_of_a_test_can_miss_the_signal_that_it_waits_for() -> None:
    """One that comes between the last look for it and `pause` is handled when another one comes; `sigwait` takes it."""
    told = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "tests").rglob("*.py")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Constant | ast.JoinedStr)
        if {"signal.signal(", "signal.pause("} <= set(re.findall(r"signal\.\w+\(", ast.unparse(node)))
    }
    assert told == set()
