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
from provisioner.image.request import ENGINES
from tests.support.provisioner.fake_builder import FakeEngines

REGISTRY = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
SECRET = "correct-horse-battery"
CREDENTIALS = Credentials("AWS", SECRET)


def engine_of(engines: FakeEngines, name: str) -> ImageBuilder:
    engines.install(name)
    return ImageBuilder(name, str(engines.folder / name))


def log_in(engine: ImageBuilder) -> Path:
    """Where the login was kept, until this returns."""
    with logged_in(engine, REGISTRY, CREDENTIALS, os.environ) as environment:
        folder = Path(environment["DOCKER_CONFIG"])
        assert environment["REGISTRY_AUTH_FILE"] == str(folder / "config.json")
        assert folder.is_dir()
    return folder


@pytest.mark.parametrize("name", ENGINES)
def test_the_password_is_the_logins_input_and_stands_nowhere_else(engines: FakeEngines, name: str) -> None:
    log_in(engine_of(engines, name))
    login = engines.call("login")
    assert login.pop("input") == SECRET
    assert SECRET not in json.dumps(engines.calls[1:]) + json.dumps(login)
    assert login["arguments"] == ["--username", "AWS", "--password-stdin", REGISTRY]


def test_nobody_else_can_read_the_logins_folder_and_it_is_gone_afterwards(engines: FakeEngines) -> None:
    folder = log_in(engine_of(engines, "docker"))
    assert engines.call("login")["mode"] == 0o700
    assert not folder.exists()


def test_the_folder_is_gone_when_the_login_fails(engines: FakeEngines) -> None:
    engine = engine_of(engines, "docker")
    engines.set(fails={"docker login": [1, "Error response from daemon: 400 Bad Request"]})
    with pytest.raises(ProvisionError, match=r"^docker login failed with exit code 1: Error response") as caught:
        log_in(engine)
    assert not Path(engines.call("login")["environment"]["DOCKER_CONFIG"]).exists()
    assert SECRET not in str(caught.value)


def test_the_folder_is_gone_when_the_push_fails(engines: FakeEngines) -> None:
    def fail() -> None:
        with logged_in(engine_of(engines, "docker"), REGISTRY, CREDENTIALS, os.environ):
            raise ProvisionError("The push failed.")

    with pytest.raises(ProvisionError):
        fail()
    assert not Path(engines.call("login")["environment"]["DOCKER_CONFIG"]).exists()


def test_docker_keeps_its_contexts_and_settings_and_sees_no_other_logins(engines: FakeEngines) -> None:
    own = Path(os.environ["HOME"], ".docker")
    (own / "contexts").mkdir(parents=True)
    logins = {"auths": {"other.example": {}}, "credsStore": "desktop", "credHelpers": {"gcr.io": "gcloud"}}
    (own / "config.json").write_text(json.dumps({"currentContext": "colima", **logins}))
    log_in(engine_of(engines, "docker"))
    login = engines.call("login")
    assert login["held"] == ["config.json", "contexts"]
    assert login["settings"] == {"currentContext": "colima", "auths": {REGISTRY: {}}}
    assert (own / "contexts").is_dir()


def test_no_keychain_is_taken_for_the_password(engines: FakeEngines) -> None:
    """docker puts one into a file without any login: https://docs.docker.com/reference/cli/docker/login/."""
    log_in(engine_of(engines, "docker"))
    assert engines.call("login")["settings"] == {"auths": {REGISTRY: {}}}


def test_a_configuration_that_cannot_be_read_is_done_without(engines: FakeEngines) -> None:
    own = Path(os.environ["HOME"], ".docker")
    own.mkdir()
    (own / "config.json").write_text("{")
    log_in(engine_of(engines, "docker"))
    assert engines.call("login")["settings"] == {"auths": {REGISTRY: {}}}


@pytest.mark.parametrize(("name", "commands"), [("finch", ["login", "logout"]), ("docker", ["login"])])
def test_only_the_engine_that_keeps_logins_of_its_own_is_logged_out(
    engines: FakeEngines, name: str, commands: list[str]
) -> None:
    log_in(engine_of(engines, name))
    assert engines.commands == commands


def test_credentials_do_not_show_their_password() -> None:
    assert SECRET not in repr(CREDENTIALS)
