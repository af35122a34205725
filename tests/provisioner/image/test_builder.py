"""One of four container engines is found, or it is said in one sentence why there is none."""

from __future__ import annotations

import os

import pytest

from engine.errors import ConfigError
from provisioner.errors import ProvisionError
from provisioner.image.builder import ImageBuilder, find_builder
from provisioner.image.request import BUILDERS
from tests.support.provisioner.fake_builder import FakeBuilders

NO_DAEMON = [1, "Cannot connect to the Docker daemon at unix:///var/run/docker.sock."]


def find(wanted: str | None = None) -> tuple[str, list[str]]:
    said: list[str] = []
    return find_builder(wanted, os.environ, said.append).name, said


@pytest.mark.parametrize("name", BUILDERS)
def test_each_of_the_four_is_found(builders: FakeBuilders, name: str) -> None:
    builders.install(name)
    assert find() == (name, [])


def test_docker_comes_first(builders: FakeBuilders) -> None:
    builders.install("finch", "podman", "docker")
    assert find()[0] == "docker"
    assert builders.calls[0]["builder"] == "docker"


def test_no_builder_says_what_was_looked_for_and_the_way_out(builders: FakeBuilders) -> None:
    with pytest.raises(ProvisionError) as caught:
        find()
    expected = "No container engine: looked for docker, podman, buildah and finch in PATH. "
    assert str(caught.value) == expected + "Install one, or give an image that exists by --image URI."
    assert caught.value.exit_code == 1


def test_a_daemon_that_does_not_answer_is_said_so(builders: FakeBuilders) -> None:
    builders.install("docker")
    builders.set(fails={"docker version": NO_DAEMON})
    with pytest.raises(ProvisionError, match=r"docker is installed, but doesn't answer .*Cannot connect.*--image URI"):
        find()


def test_the_next_one_is_taken_when_the_first_does_not_answer(builders: FakeBuilders) -> None:
    builders.install("docker", "podman")
    builders.set(fails={"docker version": NO_DAEMON})
    name, said = find()
    assert name == "podman"
    assert [line.startswith("docker is installed, but doesn't answer") for line in said] == [True]


def test_the_environment_names_a_builder(builders: FakeBuilders, monkeypatch: pytest.MonkeyPatch) -> None:
    builders.install("docker", "podman")
    monkeypatch.setenv("SCALER_BATCH_BUILDER", "podman")
    assert find()[0] == "podman"


def test_the_flag_wins_over_the_environment(builders: FakeBuilders, monkeypatch: pytest.MonkeyPatch) -> None:
    builders.install("docker", "podman")
    monkeypatch.setenv("SCALER_BATCH_BUILDER", "podman")
    assert find("docker")[0] == "docker"


def test_no_other_is_taken_than_the_one_that_was_named(builders: FakeBuilders) -> None:
    builders.install("docker")
    with pytest.raises(ProvisionError, match="looked for podman in PATH"):
        find("podman")


def test_an_unknown_name_in_the_environment_is_refused(builders: FakeBuilders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCALER_BATCH_BUILDER", "lxc")
    with pytest.raises(ConfigError, match="SCALER_BATCH_BUILDER is 'lxc', but must be one of docker, podman, buildah"):
        find()


def test_a_build_names_platform_arguments_labels_secrets_tag_and_context() -> None:
    arguments = {"PYTHON_VERSION": "3.12", "HTTPS_PROXY": None}
    builder = ImageBuilder("docker", "/bin/docker")
    command = builder.build("/context", "uri:tag", "linux/arm64", arguments, {"a": "b"}, {"pip.conf": "/tmp/secret"})
    assert command[:4] == ["/bin/docker", "build", "--platform", "linux/arm64"]
    assert command[4:8] == ["--build-arg", "PYTHON_VERSION=3.12", "--build-arg", "HTTPS_PROXY"]
    assert command[8:12] == ["--label", "a=b", "--secret", "id=pip.conf,src=/tmp/secret"]
    assert command[12:] == ["--tag", "uri:tag", "/context"]


@pytest.mark.parametrize(
    ("name", "place", "plain"),
    [
        ("podman", "127.0.0.1:5000", True),
        ("buildah", "localhost:5000", True),
        ("podman", "123456789012.dkr.ecr.us-east-1.amazonaws.com", False),
        ("docker", "127.0.0.1:5000", False),
    ],
)
def test_only_a_registry_of_this_machine_may_lack_a_certificate(name: str, place: str, plain: bool) -> None:
    builder = ImageBuilder(name, f"/bin/{name}")
    insecure = [
        "--tls-verify=false" in command for command in (builder.login(place, "AWS"), builder.push(f"{place}/x:1"))
    ]
    assert insecure == [plain, plain]
