"""moto as the account that the provisioner works on (a server, empty for each test), and builders of images."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import urllib3
from moto.iam.access_control import IAMPolicyStatement, PermissionResult
from moto.server import ThreadedMotoServer

from provisioner.clients import Clients
from tests.support.provisioner.account import REGION
from tests.support.provisioner.fake_builder import FakeBuilders


def deny_only_on_condition(patch: pytest.MonkeyPatch) -> None:
    """moto takes every Deny with a condition for one that is met: a bucket that wants TLS would refuse all."""
    decide = IAMPolicyStatement.is_action_permitted

    def decided(statement: IAMPolicyStatement, *words: Any, **names: Any) -> PermissionResult:
        if statement._statement["Effect"] == "Deny" and "Condition" in statement._statement:
            return PermissionResult.NEUTRAL
        return decide(statement, *words, **names)

    patch.setattr(IAMPolicyStatement, "is_action_permitted", decided)


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    patch = pytest.MonkeyPatch()
    deny_only_on_condition(patch)
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # a line a request, on each failure's page
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    yield f"http://127.0.0.1:{port}"
    server.stop()
    patch.undo()


@pytest.fixture
def account_url(moto_url: str) -> str:
    """The endpoint of an empty account."""
    urllib3.request("POST", f"{moto_url}/moto-api/reset", timeout=60)
    return moto_url


@pytest.fixture(scope="session")
def session() -> boto3.Session:
    return boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)


@pytest.fixture
def clients(account_url: str, session: boto3.Session) -> Clients:
    return Clients(REGION, session=session, endpoint_url=account_url)


@pytest.fixture
def builders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeBuilders:
    """Engines that are not really there: an empty PATH to install them in, and a home without any settings."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("DOCKER_CONFIG", "DOCKER_HOST", "REGISTRY_AUTH_FILE", "SCALER_BATCH_BUILDER"):
        monkeypatch.delenv(name, raising=False)
    return FakeBuilders(folder)
