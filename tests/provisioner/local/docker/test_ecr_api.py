"""ECR in front of one registry for all regions: each has its own repositories and images."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
import urllib3

from provisioner.local.account.moto_bridge import Moto
from provisioner.local.http.server import HttpServer
from tests.support.local_aws.registry import DIGEST, push

REGIONS = ("us-east-1", "eu-west-1")
HOST = "127.0.0.1:5000"


@pytest.fixture
def registries(moto: Moto, moto_url: str, tmp_path: Path) -> Iterator[list[Any]]:
    """Clients of two regions, whose repositories have one name."""
    from provisioner.local.docker.ecr_api import EcrApi

    urllib3.request("POST", f"{moto_url}/moto-api/reset", timeout=60)
    registry: Any = SimpleNamespace(host=HOST, storage=tmp_path)
    with ExitStack() as stack:
        clients = []
        for region in REGIONS:
            server = HttpServer(EcrApi(registry, region, moto).answer)
            server.start()
            stack.callback(server.close)
            clients.append(client_of(region, f"http://127.0.0.1:{server.port}"))
            clients[-1].create_repository(repositoryName="team-worker")
        yield clients


def client_of(region: str, endpoint: str) -> Any:
    session = boto3.Session("test", "test", region_name=region)
    return session.client("ecr", endpoint_url=endpoint)


def tags_in(client: Any) -> list[str]:
    images = client.list_images(repositoryName="team-worker")["imageIds"]
    return [one["imageTag"] for one in images]


def uri_in(client: Any) -> str:
    (found,) = client.describe_repositories(repositoryNames=["team-worker"])["repositories"]
    return str(found["repositoryUri"])


def test_an_image_that_was_pushed_in_one_region_is_in_no_other(registries: list[Any], tmp_path: Path) -> None:
    here, there = registries
    assert [uri_in(one) for one in registries] == [f"{HOST}/{region}/team-worker" for region in REGIONS]
    push(tmp_path, uri_in(here).removeprefix(f"{HOST}/"), "one")
    assert [tags_in(here), tags_in(there)] == [["one"], []]


def test_a_repository_that_is_deleted_leaves_the_other_regions_image(registries: list[Any], tmp_path: Path) -> None:
    here, there = registries
    for client in registries:
        push(tmp_path, uri_in(client).removeprefix(f"{HOST}/"), "one")
        assert tags_in(client) == ["one"]
    here.delete_repository(repositoryName="team-worker", force=True)
    here.create_repository(repositoryName="team-worker")
    assert tags_in(here) == []
    (image,) = there.list_images(repositoryName="team-worker")["imageIds"]
    assert image == {"imageTag": "one", "imageDigest": DIGEST}
