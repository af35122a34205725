"""Who may import whom. An import that is not allowed here is an error, not a matter of taste."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.paths import ROOT

OURS = ("console", "engine", "provisioner", "container")

# The errors that end a program are vocabulary that all parts but the container share.
VOCABULARY = "engine.errors"
SHARED_WITH_THE_RUNNER = (
    "container.batch_job_quoting",
    "container.batch_job_wire",
)
# What the provisioner's commands print, and its enums: structs that load none of its libraries.
PROVISIONERS_JSON = ("provisioner.json_schema", "provisioner.kinds")
ALLOWED = {
    "console": ("console", "engine.telemetry", "engine.config", "engine.code", *PROVISIONERS_JSON, VOCABULARY),
    "provisioner": ("provisioner", "engine.aws", "engine.diagnosis", "container", VOCABULARY),
    "engine": ("engine", *SHARED_WITH_THE_RUNNER),
    "engine.code": ("engine.code", "container.batch_job_wire", VOCABULARY),
    "engine.aws": ("engine.aws", "container.batch_job_wire.protocol", "container.batch_job_quoting", VOCABULARY),
    "container": (),
}
# What is published lies at the bottom; viewers and the engine's side know it, and nothing of each other.
TELEMETRY_LAYERS = {
    "engine/telemetry/schema": ("engine.telemetry.schema", "engine.model", "engine.diagnosis.model"),
    "engine/telemetry/tally": ("engine.telemetry.tally", "engine.telemetry.schema", "engine.model"),
    "engine/telemetry/client": (
        "engine.telemetry.client",
        "engine.telemetry.schema",
        "engine.telemetry.tally",
        "engine.telemetry.endpoints",
        "engine.telemetry.keys",
        "engine.telemetry.recording",
        VOCABULARY,
    ),
    "engine/jobs": (
        "engine.jobs",
        "engine.telemetry.schema",
        "engine.causes",
        "engine.telemetry.tally",
        "engine.model",
        "engine.tasks.task_record",
        "engine.pickles",
        "engine.aws",
    ),
}
SCALER_DOORS = (
    "engine/scaler/connections.py",
    "engine/scaler/monitor.py",
    "engine/scaler/ymq_socket.py",
    "engine/scaler_link.py",
    "console/local/demo.py",
    "provisioner/selftest/client.py",
)
VIEWERS_DOORS = (
    "engine.telemetry.client.client",
    "engine.telemetry.client.replay",
    "engine.telemetry.schema.query",
    "engine.telemetry.endpoints",
    "engine.telemetry.keys",
)
NOT_FOR_VIEWERS = ("boto3", "botocore", "scaler", "textual", "rich", "prometheus_client")
ENGINE_ONLY = ("engine.backends", "engine.aws", "engine.tasks.task_record")
CONTAINER_LIBRARIES = ("boto3", "botocore", "cloudpickle")
BESIDE_USER_CODE = {  # what shares a process with a user's code, and what it may import besides the standard library
    "provisioner/local/processes/fork_server": CONTAINER_LIBRARIES,
    "console/local/demo.py": ("scaler",),
    "provisioner/selftest/client.py": ("scaler",),
}
STARTS_PYTHON = {  # everything else that starts a Python does it by `scaler_batch.command`, where our names are ours
    "console/local/run.py": "a user's script, and the demo's, which imports nothing of ours",
    "provisioner/image/installed.py": "pip, inside an image",
    "provisioner/image/wheels.py": "pip",
    "provisioner/local/processes/executor.py": "the fork server, which imports nothing of ours by name",
    "provisioner/local/processes/scaler_processes.py": "Scaler's programs stand beside it",
    "provisioner/selftest/processes.py": "the selftest's client, which imports nothing of ours",
}
IMAGE_MODULE_PREFIX = "batch_job_"  # siblings in the image, where they can't collide with a user's module


@dataclass(frozen=True)
class Import:
    """One imported module, and whether it happens only inside a function (or for type checkers)."""

    path: Path
    line: int
    module: str
    deferred: bool
    is_of_sibling: bool = False
    """By a relative import out of the same folder, which finds it whatever name that has."""

    @property
    def top(self) -> str:
        return self.module.partition(".")[0]

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line} imports {self.module}"


def within(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def modules_named(node: ast.Import | ast.ImportFrom, path: Path) -> list[str]:
    """`from a import b` counts as `a.b` where `a` is ours: `b` may be a module."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    base = node.module or ""
    if node.level:
        folder = path.relative_to(ROOT).parts[: -node.level]
        base = ".".join((*folder, base)).rstrip(".")
    if base.partition(".")[0] in OURS:
        return [f"{base}.{alias.name}" for alias in node.names]
    return [base]


def walk(node: ast.AST, path: Path, deferred: bool = False) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            for module in modules_named(child, path):
                is_of_sibling = isinstance(child, ast.ImportFrom) and child.level == 1
                yield Import(path, child.lineno, module, deferred, is_of_sibling)
        inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
        yield from walk(child, path, deferred or inside or is_type_checking(child))


def imports_of(folder: str) -> list[Import]:
    paths = sorted((ROOT / folder).rglob("*.py"))
    return [found for path in paths for found in walk(ast.parse(path.read_text()), path)]


def lines(offenders: list[Import]) -> str:
    return "\n" + "\n".join(map(str, offenders))


def is_in_the_image(module: str) -> bool:
    return module in sys.stdlib_module_names or module in CONTAINER_LIBRARIES or module.startswith(IMAGE_MODULE_PREFIX)


def is_deferred_provisioner(found: Import) -> bool:
    """The console may load a provisioner's module when the command that needs it runs."""
    return found.top == "provisioner" and found.deferred


@pytest.mark.parametrize("folder", ["provisioner", "engine", "container"])
def test_a_package_imports_only_what_the_house_allows(folder: str) -> None:
    ours = [found for found in imports_of(folder) if found.top in OURS and not found.is_of_sibling]
    offenders = [found for found in ours if not within(found.module, ALLOWED[folder])]
    assert not offenders, lines(offenders)


def test_the_console_imports_the_provisioner_only_when_a_command_runs() -> None:
    ours = [found for found in imports_of("console") if found.top in OURS]
    offenders = [
        found for found in ours if not within(found.module, ALLOWED["console"]) and not is_deferred_provisioner(found)
    ]
    assert not offenders, lines(offenders)


def test_a_viewer_needs_nothing_of_the_engine_but_its_messages() -> None:
    """What the console reaches through telemetry, in a process of its own: imports of imports count."""
    script = f"import sys, {', '.join(VIEWERS_DOORS)}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True)
    modules = loaded.stdout.split()
    foreign = [each for each in modules if each in NOT_FOR_VIEWERS]
    engines = [each for each in modules if within(each, ENGINE_ONLY)]
    assert (foreign, engines) == ([], [])


def test_the_provisioners_json_loads_nothing_heavy() -> None:
    script = f"import sys, {', '.join(PROVISIONERS_JSON)}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True)
    modules = loaded.stdout.split()
    assert [each for each in modules if each in (*NOT_FOR_VIEWERS, "typer")] == []


def test_engine_aws_is_the_bottom_layer() -> None:
    ours = [found for found in imports_of("engine/aws") if found.top in OURS]
    offenders = [found for found in ours if not within(found.module, ALLOWED["engine.aws"])]
    assert not offenders, lines(offenders)


@pytest.mark.parametrize("folder", TELEMETRY_LAYERS)
def test_telemetry_is_layered(folder: str) -> None:
    ours = [found for found in imports_of(folder) if found.top in OURS]
    offenders = [found for found in ours if not within(found.module, TELEMETRY_LAYERS[folder])]
    assert not offenders, lines(offenders)


def test_scaler_is_imported_at_its_doors_only() -> None:
    found = [one for folder in OURS for one in imports_of(folder) if one.top == "scaler"]
    offenders = [one for one in found if str(one.path.relative_to(ROOT)) not in SCALER_DOORS]
    assert not offenders, lines(offenders)


def test_the_console_imports_no_aws_library() -> None:
    offenders = [found for found in imports_of("console") if found.top in ("boto3", "botocore")]
    assert not offenders, lines(offenders)


def test_the_container_needs_nothing_that_its_image_lacks() -> None:
    offenders = [
        found for found in imports_of("container") if not is_in_the_image(found.top) and not found.is_of_sibling
    ]
    assert not offenders, lines(offenders)


@pytest.mark.parametrize("module", SHARED_WITH_THE_RUNNER)
def test_what_engine_and_runner_share_needs_the_standard_library_only(module: str) -> None:
    place = ROOT / module.replace(".", "/")
    paths = [*place.glob("*.py")] or [place.with_suffix(".py")]
    found = [one for path in paths for one in walk(ast.parse(path.read_text()), path)]
    offenders = [one for one in found if one.top not in sys.stdlib_module_names and not one.is_of_sibling]
    assert found
    assert not offenders, lines(offenders)


def test_the_walk_sees_relative_and_deferred_imports() -> None:
    path = ROOT / "engine" / "backends" / "batch" / "example.py"
    source = "from ..errors import X\nfrom . import names\ndef f():\n    import provisioner.cli\n"
    found = [(one.module, one.deferred) for one in walk(ast.parse(source), path)]
    assert found == [
        ("engine.backends.errors.X", False),
        ("engine.backends.batch.names", False),
        ("provisioner.cli", True),
    ]


def test_a_python_of_ours_starts_at_the_door() -> None:
    paths = [path for folder in OURS for path in (ROOT / folder).rglob("*.py")]
    starters = {str(path.relative_to(ROOT)) for path in paths if "sys.executable" in path.read_text()}
    assert starters == STARTS_PYTHON.keys()


def absolute_imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module or ""


@pytest.mark.parametrize("place", BESIDE_USER_CODE)
def test_what_runs_beside_user_code_imports_nothing_of_ours_by_name(place: str) -> None:
    """Its siblings by relative imports only: it is loaded under another name there."""
    path = ROOT / place
    files = path.rglob("*.py") if path.is_dir() else [path]
    tops = {name.partition(".")[0] for file in files for name in absolute_imports(file)}
    assert tops - sys.stdlib_module_names <= {*BESIDE_USER_CODE[place]}


def test_tests_take_helpers_from_support_only() -> None:
    paths = [path for path in (ROOT / "tests").rglob("*.py") if "benchmarks" not in path.parts]
    named = {(path, name) for path in paths for name in absolute_imports(path) if name.startswith("tests.")}
    assert {
        f"{path.relative_to(ROOT)}: {name}" for path, name in named if not name.startswith("tests.support")
    } == set()
