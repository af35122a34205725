"""A password reaches the registry and nothing else, and no trace of the login is left."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from provisioner.errors import ProvisionError
from provisioner.image.builder import ImageBuilder
from provisioner.image.login import logged_in
from provisioner.image.registry import Credentials
from provisioner.image.request import BUILDERS
from tests.support.provisioner.fake_builder import FakeBuilders

REGISTRY = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
SECRET = "correct-horse-battery"
CREDENTIALS = Credentials("AWS", SECRET)


def builder_of(builders: FakeBuilders, name: str) -> ImageBuilder:
    builders.install(name)
    return ImageBuilder(name, str(builders.folder / name))


def log_in(builder: ImageBuilder) -> Path:
    """Where the login was kept, until this returns."""
    with logged_in(builder, REGISTRY, CREDENTIALS, os.environ) as environment:
        folder = Path(environment["DOCKER_CONFIG"])
        assert environment["REGISTRY_AUTH_FILE"] == str(folder / "config.json")
        assert folder.is_dir()
    return folder


@pytest.mark.parametrize("name", BUILDERS)
def test_the_password_is_the_logins_input_and_stands_nowhere_else(builders: FakeBuilders, name: str) -> None:
    log_in(builder_of(builders, name))
    login = builders.call("login")
    assert login.pop("input") == SECRET
    assert SECRET not in json.dumps(builders.calls[1:]) + json.dumps(login)
    assert login["arguments"] == ["--username", "AWS", "--password-stdin", REGISTRY]


def test_nobody_else_can_read_the_logins_folder_and_it_is_gone_afterwards(builders: FakeBuilders) -> None:
    folder = log_in(builder_of(builders, "docker"))
    assert builders.call("login")["mode"] == 0o700
    assert not folder.exists()


def test_the_folder_is_gone_when_the_login_fails(builders: FakeBuilders) -> None:
    builder = builder_of(builders, "docker")
    builders.set(fails={"docker login": [1, "Error response from daemon: 400 Bad Request"]})
    with pytest.raises(ProvisionError, match=r"^docker login failed with exit code 1: Error response") as caught:
        log_in(builder)
    assert not Path(builders.call("login")["environment"]["DOCKER_CONFIG"]).exists()
    assert SECRET not in str(caught.value)


def test_the_folder_is_gone_when_the_push_fails(builders: FakeBuilders) -> None:
    def fail() -> None:
        with logged_in(builder_of(builders, "docker"), REGISTRY, CREDENTIALS, os.environ):
            raise ProvisionError("The push failed.")

    with pytest.raises(ProvisionError):
        fail()
    assert not Path(builders.call("login")["environment"]["DOCKER_CONFIG"]).exists()


def test_docker_keeps_its_contexts_and_settings_and_sees_no_other_logins(builders: FakeBuilders) -> None:
    own = Path(os.environ["HOME"], ".docker")
    (own / "contexts").mkdir(parents=True)
    logins = {"auths": {"other.example": {}}, "credsStore": "desktop", "credHelpers": {"gcr.io": "gcloud"}}
    (own / "config.json").write_text(json.dumps({"currentContext": "colima", **logins}))
    log_in(builder_of(builders, "docker"))
    login = builders.call("login")
    assert login["held"] == ["config.json", "contexts"]
    assert login["settings"] == {"currentContext": "colima", "auths": {REGISTRY: {}}}
    assert (own / "contexts").is_dir()


def test_no_keychain_is_taken_for_the_password(builders: FakeBuilders) -> None:
    """docker puts one into a file without any login: https://docs.docker.com/reference/cli/docker/login/."""
    log_in(builder_of(builders, "docker"))
    assert builders.call("login")["settings"] == {"auths": {REGISTRY: {}}}


def test_a_configuration_that_cannot_be_read_is_done_without(builders: FakeBuilders) -> None:
    own = Path(os.environ["HOME"], ".docker")
    own.mkdir()
    (own / "config.json").write_text("{")
    log_in(builder_of(builders, "docker"))
    assert builders.call("login")["settings"] == {"auths": {REGISTRY: {}}}


@pytest.mark.parametrize(("name", "commands"), [("finch", ["login", "logout"]), ("docker", ["login"])])
def test_only_the_builder_that_keeps_logins_of_its_own_is_logged_out(
    builders: FakeBuilders, name: str, commands: list[str]
) -> None:
    log_in(builder_of(builders, name))
    assert builders.commands == commands


def test_credentials_do_not_show_their_password() -> None:
    assert SECRET not in repr(CREDENTIALS)
