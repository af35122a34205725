"""moto as the account that the provisioner works on (a server, empty for each test), and builders of images.

moto is imported by the tests that need it only: it is heavy.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
import urllib3

from provisioner.clients import Clients
from provisioner.local.http.server import HttpServer
from tests.support.provisioner.account import REGION
from tests.support.provisioner.fake_builder import FakeBuilders
from tests.support.provisioner.moto_policies import deny_only_on_condition

if TYPE_CHECKING:
    from provisioner.local.account.moto_bridge import Moto


@pytest.fixture(scope="session")
def moto() -> Moto:
    from provisioner.local.account.moto_bridge import Moto

    return Moto()


@pytest.fixture(scope="session")
def moto_url(moto: Moto) -> Iterator[str]:
    """Nothing but moto, behind the local AWS's server: it costs less than moto's own."""
    with pytest.MonkeyPatch.context() as patch:
        deny_only_on_condition(patch)
        server = HttpServer(moto)
        server.start()
        yield f"http://127.0.0.1:{server.port}"
        server.close()


@pytest.fixture
def closed_account_url(moto_url: str) -> str:
    """The endpoint of an empty account, whose default VPC has no way out."""
    urllib3.request("POST", f"{moto_url}/moto-api/reset", timeout=60)
    return moto_url


@pytest.fixture
def account_url(moto: Moto, closed_account_url: str) -> str:
    """The endpoint of an empty account, with the way out that AWS's default VPC has."""
    open_default_vpc(moto, REGION)
    return closed_account_url


@pytest.fixture
def other_regions(moto: Moto, account_url: str) -> None:
    """Default VPCs of other regions have it, too."""
    for region in ("ap-south-1", "eu-north-1", "eu-west-1"):
        open_default_vpc(moto, region)


def open_default_vpc(moto: Moto, region: str) -> None:
    from provisioner.local.account.default_route import DefaultRoute

    DefaultRoute(moto, region).open()


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
