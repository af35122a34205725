"""From a request to an image in ECR: what is asked of the builder and in which order, and what is told on the way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from provisioner.clients import Clients
from provisioner.errors import ProvisionError
from provisioner.image.build import BuiltImage, build_and_push, tag_of
from provisioner.image.events import Event, ImageStep, OutputLine
from provisioner.image.registry import find_built
from provisioner.image.request import OWN_PYTHON, ImageRequest
from provisioner.stack.naming import Stack
from tests.support.cases import first_now
from tests.support.provisioner.account import ACCOUNT, REGION
from tests.support.provisioner.fake_builder import FakeBuilders

STACK = Stack(region=REGION, prefix="sb", account=ACCOUNT, partition="aws")
URI = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/sb-worker"
REQUEST = ImageRequest()
TOKEN = "auth-token"
"""In each of moto's passwords."""


class Making:
    """`build_and_push` with everything that it needs, and what came of it."""

    def __init__(self, clients: Clients, builders: FakeBuilders) -> None:
        self.clients = clients
        self.builders = builders
        self.events: list[Event] = []
        self.repositories_asked_for = 0

    def __call__(self, request: ImageRequest = REQUEST) -> BuiltImage:
        return build_and_push(request, self.clients, STACK, self.events.append, self.ensure_repository)

    def ensure_repository(self) -> None:
        self.repositories_asked_for += 1
        if not self.clients.call("ecr", "describe_repositories", {})["repositories"]:
            self.clients.call("ecr", "create_repository", {"repositoryName": STACK.repository})

    @property
    def steps(self) -> list[tuple[str, str]]:
        return [(event.name, str(event.state)) for event in self.events if isinstance(event, ImageStep)]

    @property
    def images(self) -> list[Any]:
        return self.clients.listing("ecr", "describe_images", "imageDetails", {"repositoryName": STACK.repository})


@pytest.fixture
def make(clients: Clients, account_url: str, builders: FakeBuilders, monkeypatch: pytest.MonkeyPatch) -> Making:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):  # a builder pushes with the command's own
        monkeypatch.setenv(name, "test")
    builders.install("docker")
    builders.set(python=OWN_PYTHON, ecr=account_url)
    return Making(clients, builders)


def test_an_image_is_built_checked_pushed_and_pinned_by_its_digest(make: Making) -> None:
    built = make()
    assert make.builders.commands == ["version", "build", "run", "login", "push"]
    assert make.builders.call("push")["arguments"] == [f"{URI}:{tag_of(REQUEST)}"]
    assert built == BuiltImage(f"{URI}@{make.images[0]['imageDigest']}", tag_of(REQUEST), built=True)


@pytest.mark.long
def test_each_step_is_told_from_beginning_to_end(make: Making) -> None:
    make()
    running_and_done = [(name, state) for name in ("build", "check", "push") for state in ("running", "done")]
    assert make.steps == running_and_done
    assert OutputLine("build works") in make.events


def test_unchanged_content_builds_nothing_and_needs_no_builder(make: Making, monkeypatch: pytest.MonkeyPatch) -> None:
    first = make()
    monkeypatch.setenv("PATH", "")
    make.events.clear()
    second = make()
    assert second == BuiltImage(first.image, first.tag, built=False)
    assert make.steps == [("build", "done")]
    assert make.builders.commands.count("build") == 1


@pytest.mark.long
def test_changed_content_gets_an_image_of_its_own(make: Making) -> None:
    images = {make().image, make(ImageRequest(base_image="python:3.11")).image}
    assert len(images) == len(make.images) == 2


def test_without_a_builder_nothing_is_made(make: Making, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ProvisionError, match="No container engine"):
        make()
    assert make.repositories_asked_for == 0


@pytest.mark.long
def test_the_build_gets_python_base_image_and_platform(make: Making) -> None:
    make.builders.set(python="3.12")
    make(ImageRequest(python="3.12", base_image="team/base:1", platform="linux/arm64"))
    arguments = make.builders.call("build")["arguments"]
    assert arguments[:6] == [
        *("--platform", "linux/arm64"),
        *("--build-arg", "PYTHON_VERSION=3.12"),
        *("--build-arg", "BASE_IMAGE=team/base:1"),
    ]


def test_the_build_sees_the_context_and_nothing_of_it_is_left(make: Making) -> None:
    make()
    build = make.builders.call("build")
    assert {"Dockerfile", "requirements.txt", "batch_job_runner.py"} < set(build["context"])
    assert not Path(build["arguments"][-1]).exists()


@pytest.mark.long
def test_the_image_is_pushed_alone_without_an_index_around_it(make: Making) -> None:
    make()
    assert make.builders.call("build")["environment"]["BUILDX_NO_DEFAULT_ATTESTATIONS"] == "1"


def test_a_build_that_fails_is_told_and_nothing_is_pushed(make: Making) -> None:
    make.builders.set(fails={"docker build": [1, "ERROR: No matching distribution found for nothing"]})
    with pytest.raises(ProvisionError, match=r"^docker build failed with exit code 1: ERROR: No matching"):
        make()
    assert make.steps == [("build", "running"), ("build", "failed")]
    assert "push" not in make.builders.commands


def test_a_build_for_another_architecture_says_what_is_missing_here(make: Making) -> None:
    make.builders.set(fails={"docker build": [1, "exec /bin/sh: exec format error"]})
    with pytest.raises(ProvisionError, match=r"can't run programs of linux/arm64.*qemu"):
        make(ImageRequest(platform="linux/arm64"))


def test_an_image_of_another_python_is_not_pushed(make: Making) -> None:
    make.builders.set(python="3.10")
    with pytest.raises(ProvisionError, match=rf"has Python 3\.10, but --python is {OWN_PYTHON}, and it must be the cl"):
        make()
    assert make.steps[-1] == ("check", "failed")
    assert "push" not in make.builders.commands


def test_an_image_in_which_the_runner_does_not_start_is_not_pushed(make: Making) -> None:
    make.builders.set(fails={"docker run": [1, "ModuleNotFoundError: No module named 'boto3'"]})
    with pytest.raises(ProvisionError, match=r"docker run failed .*No module named 'boto3'"):
        make()
    assert "push" not in make.builders.commands


@pytest.mark.long
def test_a_builder_that_only_builds_skips_the_check(make: Making) -> None:
    make.builders.install("buildah")
    make(ImageRequest(builder="buildah"))
    assert ("check", "skipped") in make.steps
    assert make.builders.commands == ["info", "build", "login", "push"]


@pytest.mark.long
def test_a_push_that_somebody_else_was_faster_with_is_no_failure(make: Making) -> None:
    refused = "tag invalid: The image tag already exists in the 'sb-worker' repository and cannot be overwritten"
    make.builders.set(fails={"docker push": [1, refused]}, pushed_all_the_same=True)
    assert make().image == f"{URI}@{make.images[0]['imageDigest']}"


def test_a_push_that_fails_is_told(make: Making) -> None:
    make.builders.set(fails={"docker push": [1, "denied: User is not authorized to perform: ecr:PutImage"]})
    with pytest.raises(ProvisionError, match=r"^docker push failed with exit code 1: denied: User"):
        make()
    assert make.steps[-1] == ("push", "failed")
    assert make.images == []


@pytest.mark.parametrize("fails", first_now([{}, {"docker login": [1, "no"]}, {"docker push": [1, "no"]}]))
def test_the_registrys_password_is_seen_by_the_login_alone(
    make: Making, fails: dict[str, object], caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    make.builders.set(fails=fails)
    message = ""
    try:
        make()
    except ProvisionError as error:
        message = str(error)
    calls = make.builders.calls
    assert TOKEN in next(call.pop("input") for call in calls if call["command"] == "login")
    outputs = [json.dumps(calls), repr(make.events), message, caplog.text, *capfd.readouterr()]
    assert [TOKEN in text for text in outputs] == [False] * len(outputs)
    assert not Path(make.builders.call("login")["environment"]["DOCKER_CONFIG"]).exists()


def test_an_image_is_looked_up_before_there_is_a_repository(clients: Clients) -> None:
    assert find_built(clients, STACK, "any") is None
