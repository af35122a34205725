"""`build-image` as a user runs it: a process, what it prints for people and for programs, and its exit code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from provisioner.commands.build_image import build_image as command
from provisioner.commands.common import only_run
from provisioner.commands.options import CONFIG_FILE
from provisioner.image.request import OWN_PYTHON
from tests.support.cases import first_now
from tests.support.paths import ROOT
from tests.support.provisioner.fake_builder import FakeBuilders
from tests.support.provisioner.projects import write_project

URI = "123456789012.dkr.ecr.us-east-1.amazonaws.com/scaler-batch-worker"


class BuildImage:
    """The command, with an account to push to."""

    def __init__(self, builders: FakeBuilders, endpoint: str, folder: Path) -> None:
        self.builders = builders
        self.folder = folder
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("AWS_")},
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_CONFIG_FILE": "/nonexistent",
        }

    def __call__(self, *flags: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*flags)
        stdout, stderr = process.communicate(timeout=60)
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    def start(self, *flags: str) -> subprocess.Popen[str]:
        with interrupts_taken():
            return subprocess.Popen(
                [sys.executable, "-P", "-m", "provisioner", "build-image", *flags],
                env={**self.environment, "PYTHONPATH": str(ROOT)},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )


@contextmanager
def interrupts_taken() -> Iterator[None]:
    """As from a terminal: a shell lets what it starts in the background ignore Ctrl-C, and all that is below."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.fixture
def build_image(builders: FakeBuilders, account_url: str, tmp_path: Path) -> BuildImage:
    builders.install("docker")
    builders.set(python=OWN_PYTHON, ecr=account_url)
    return BuildImage(builders, account_url, tmp_path)


def documents(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_image_alone_is_standard_output_and_the_second_time_it_is_the_same(build_image: BuildImage) -> None:
    first, second = build_image(), build_image()
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert first.stdout.startswith(f"{URI}@sha256:")
    assert second.stdout == first.stdout
    assert "✓ push" in first.stderr
    assert "unchanged" in second.stderr


def test_while_another_run_changes_the_stack_one_sentence_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    app = typer.Typer()
    app.command()(command)
    with only_run("eu-west-1", "team", CONFIG_FILE):
        words = ["--region", "eu-west-1", "--prefix", "team", "--json"]
        done = CliRunner().invoke(app, words, catch_exceptions=False)
    sentence = (
        f"Another run (process {os.getpid()}) is at work on the stack team in eu-west-1: wait until it has ended."
    )
    assert (done.exit_code, json.loads(done.stdout)["error"]) == (1, sentence)


@pytest.mark.long
def test_the_repository_is_made_as_the_stack_wants_it(build_image: BuildImage, clients: Any) -> None:
    build_image()
    (repository,) = clients.call("ecr", "describe_repositories", {})["repositories"]
    tags = clients.call("ecr", "list_tags_for_resource", {"resourceArn": repository["repositoryArn"]})["tags"]
    assert (repository["repositoryName"], repository["imageTagMutability"]) == ("scaler-batch-worker", "IMMUTABLE")
    assert {"Key": "opengris:stack", "Value": "scaler-batch"} in tags


@pytest.mark.long
def test_programs_read_lines_of_json_that_end_with_the_image(build_image: BuildImage, tmp_path: Path) -> None:
    pins = tmp_path / "pins.txt"
    pins.write_text("numpy\n")
    done = build_image("--json", "--requirements", str(pins), "--package", str(write_project(tmp_path / "mine")))
    events = documents(done)
    steps = [(each["name"], each["state"]) for each in events if each["event"] == "step"]
    assert steps == [(name, state) for name in ("build", "check", "push") for state in ("running", "done")]
    assert {"event": "line", "text": "build works"} in events
    assert events[-1]["event"] == "done"
    assert events[-1]["image"].startswith(f"{URI}@sha256:")
    assert (events[-1]["built"], events[-1]["tag"].startswith(f"py{OWN_PYTHON}-amd64-")) == (True, True)
    assert {"requirements-user.txt", "wheels.txt"} < set(build_image.builders.call("build")["context"])


@pytest.mark.parametrize(
    ("flags", "code", "sentence"),
    first_now(
        [
            (("--python", "2.7"), 2, "--python is '2.7', but must be"),
            (("--prefix", "Scaler"), 2, "--prefix is 'Scaler', but must be"),
            (("--package", "/nowhere"), 2, "--package is '/nowhere', but must be"),
            (
                ("--builder", "podman"),
                1,
                "No container engine: looked for podman in PATH. Install one, or give an image",
            ),
        ]
    ),
)
def test_what_cannot_work_is_one_sentence_and_the_last_line_of_json(
    build_image: BuildImage, flags: tuple[str, ...], code: int, sentence: str
) -> None:
    for_people, for_programs = build_image(*flags), build_image("--json", *flags)
    assert (for_people.returncode, for_programs.returncode) == (code, code)
    assert (for_people.stdout, for_people.stderr.startswith(sentence)) == ("", True)
    last = documents(for_programs)[-1]
    assert (last["event"], last["error"].startswith(sentence)) == ("failed", True)


@pytest.mark.long
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_builder_too_and_leaves_no_login(build_image: BuildImage, signum: signal.Signals) -> None:
    build_image.builders.set(takes={"push": 600})
    process = build_image.start("--json")
    assert process.stdout is not None
    for line in process.stdout:
        if "push works" in line:
            break
    process.send_signal(signum)
    process.communicate(timeout=30)
    push = build_image.builders.call("push")
    assert process.returncode != 0
    assert not Path(push["environment"]["DOCKER_CONFIG"]).exists()
    with pytest.raises(ProcessLookupError):
        os.kill(push["pid"], 0)
