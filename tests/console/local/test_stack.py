"""The stack of a `scaler-batch local` is found by its endpoint while it lives, and taken for no other."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.local.stack import find_local_stack, saved_local_stack
from console.tui.stack.process import location_at
from engine.telemetry.endpoints import list_engines, runtime_folder
from provisioner.stack.naming import Stack
from provisioner.stack.saved_state import Provisioned, load
from provisioner.stack.spec import ProvisionSpec
from tests.support.socket_places import short_folder

ENDPOINT = "http://127.0.0.1:4321"
AWS = {"AWS_ENDPOINT_URL": ENDPOINT, "AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
STACK = Provisioned.of(ProvisionSpec(image="runner:local"), Stack("us-east-1", "here", "123456789012", "aws"))


@pytest.fixture(autouse=True)
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with short_folder() as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
        yield folder


def test_it_is_found_by_its_endpoint_alone() -> None:
    with saved_local_stack(AWS, STACK):
        found = find_local_stack(ENDPOINT)
        assert found is not None
        assert list(load(found.config).values()) == [STACK]
        assert found.aws == AWS
        for other in ("", "http://127.0.0.1:4322", "https://batch.us-east-1.amazonaws.com", "http://10.0.0.1:4321"):
            assert find_local_stack(other) is None


def test_it_is_private_no_engine_and_gone_at_the_end(runtime: Path) -> None:
    with saved_local_stack(AWS, STACK):
        [folder] = runtime_folder().iterdir()
        modes = {path: stat.S_IMODE(path.stat().st_mode) & 0o077 for path in (folder, *folder.iterdir())}
        assert not any(modes.values()), modes
        assert list_engines() == []
    assert list(runtime.iterdir()) == []
    assert find_local_stack(ENDPOINT) is None


def test_what_a_dead_one_left_is_not_found_and_soon_gone() -> None:
    with saved_local_stack(AWS, STACK):
        [folder] = runtime_folder().iterdir()
        kept = {path.name: path.read_bytes() for path in folder.iterdir()}
    left = runtime_folder() / folder.name
    left.mkdir(mode=0o700)
    for name, content in kept.items():
        (left / name).write_bytes(content)
    assert find_local_stack(ENDPOINT) is None
    with saved_local_stack({**AWS, "AWS_ENDPOINT_URL": "http://127.0.0.1:5"}, STACK):
        assert not left.exists()


def test_its_commands_see_its_aws_and_files_and_nothing_of_the_persons_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "real")
    with saved_local_stack(AWS, STACK):
        place = location_at(ENDPOINT)
        found = find_local_stack(ENDPOINT)
    assert found is not None
    assert {name: value for name, value in place.environ.items() if name.startswith("AWS_")} == AWS
    config, env_file = ("--config", str(found.config)), ("--env-file", str(found.env_file))
    assert place.arguments("show") == place.arguments("plan") == place.arguments("build-image") == config
    assert place.arguments("provision") == place.arguments("cleanup") == (*config, *env_file)
