"""The template, deployed: what it makes is what `provision` would make, and it can be deleted again.

moto's CloudFormation is imported when a test runs: it loads some thirty services.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from provisioner.clients import Clients
from provisioner.export.cloudformation import template
from provisioner.kinds import PlanAction
from provisioner.plan.executor import PlanExecutor, ignore_progress
from provisioner.plan.model import Plan
from provisioner.plan.planner import Claims, plan_repository
from provisioner.plan.remote import RemoteState
from provisioner.resources.network import network_of
from provisioner.stack.spec import ProvisionSpec
from tests.support.provisioner.account import ACCOUNT, REGION
from tests.support.provisioner.moto_policies import deny_only_on_condition
from tests.support.provisioner.stacks import account, plan_for, stack_for

pytestmark = pytest.mark.long

REGISTRY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
OWN = f"{REGISTRY}/scaler-batch-worker:1"
OTHERS = f"111122223333.dkr.ecr.{REGION}.amazonaws.com/team/worker@sha256:{'0' * 64}"
BEFORE = ProvisionSpec(image=None)
UNTAGGABLE = ["update instance profile scaler-batch-instance-us-east-1"]
"""CloudFormation can't tag one."""


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clients]:
    from moto import mock_aws

    from provisioner.local.account.default_route import DefaultRoute
    from provisioner.local.account.moto_bridge import NO_AMIS, Moto
    from tests.support.provisioner.cloudformation import complete

    monkeypatch.setenv(NO_AMIS, "false")
    with mock_aws():
        deny_only_on_condition(monkeypatch)
        complete(monkeypatch)
        DefaultRoute(Moto(), REGION).open()
        yield Clients(REGION)


def test_it_makes_what_provision_makes_of_an_image_that_is_built_later(clients: Clients) -> None:
    deploy_for(BEFORE, clients, Image=OWN)
    assert left_to_do(ProvisionSpec(image=OWN), clients) == UNTAGGABLE


def test_spot_and_the_expiry_are_as_provision_makes_them(clients: Clients) -> None:
    spec = ProvisionSpec(image="docker.io/me/worker:1", spot=True, expiry_days=3)
    deploy_for(spec, clients)
    assert left_to_do(spec, clients) == UNTAGGABLE


def test_the_repository_that_build_image_made_is_left_to_it(clients: Clients) -> None:
    make_repository(clients)
    spec = ProvisionSpec(image=OWN)
    deploy_for(spec, clients)
    assert left_to_do(spec, clients) == UNTAGGABLE


def test_a_repository_that_is_there_is_refused_where_it_is_to_be_made(clients: Clients) -> None:
    make_repository(clients)
    with pytest.raises(ClientError, match="already exists"):
        deploy_for(BEFORE, clients, Image=OWN)


def test_the_image_of_another_registry_is_a_parameter_with_its_permission(clients: Clients) -> None:
    source = f"{REGION}:111122223333:repository/team/worker"
    deploy_for(BEFORE, clients, Image=OTHERS, ImageRepository=source, CreateRepository="false")
    assert left_to_do(ProvisionSpec(image=OTHERS), clients) == UNTAGGABLE


def test_an_image_that_is_not_in_ecr_needs_no_permission(clients: Clients) -> None:
    image = "docker.io/me/worker:1"
    deploy_for(BEFORE, clients, Image=image, ImageRepository="none", CreateRepository="false")
    assert left_to_do(ProvisionSpec(image=image), clients) == UNTAGGABLE


def test_the_outputs_are_what_a_worker_manager_needs(clients: Clients) -> None:
    assert deploy_for(ProvisionSpec(image=OTHERS), clients) == {
        "AwsRegion": REGION,
        "S3Bucket": f"scaler-batch-{ACCOUNT}-{REGION}",
        "JobQueue": "scaler-batch-queue",
        "JobDefinition": "scaler-batch-job",
    }


def test_a_stack_with_content_is_deleted_but_for_its_data(clients: Clients) -> None:
    deploy_for(BEFORE, clients, Image=OWN)
    stack = stack_for(BEFORE, clients)
    clients.call("s3", "put_object", {"Bucket": stack.bucket, "Key": "a result", "Body": b"1"})
    push_an_image(clients)
    delete_stack()
    assert clients.call("s3", "get_object", {"Bucket": stack.bucket, "Key": "a result"})["ContentLength"] == 1
    assert [one for one in account(clients) if "scaler-batch" in one] == [
        one for one in account(clients) if stack.bucket in one or stack.log_group in one
    ]


def delete_stack() -> None:
    from tests.support.provisioner.cloudformation import delete

    delete()


def deploy_for(spec: ProvisionSpec, clients: Clients, **parameters: str) -> dict[str, str]:
    from tests.support.provisioner.cloudformation import deploy

    network = network_of(spec, RemoteState(clients))
    return deploy(template(spec), VpcId=network.vpc_id, SubnetIds=",".join(network.subnet_ids), **parameters)


def left_to_do(spec: ProvisionSpec, clients: Clients) -> list[str]:
    """Changes that a plan of the same spec has, in words."""
    plan = plan_for(spec, clients, Claims(adopt=True))
    return [str(one) for one in plan.changes if one.action is not PlanAction.KEEP]


def make_repository(clients: Clients) -> None:
    change = plan_repository(BEFORE, stack_for(BEFORE, clients), RemoteState(clients))
    PlanExecutor(clients, ignore_progress).run(Plan((change,)))


def push_an_image(clients: Clients) -> None:
    manifest: dict[str, Any] = {"repositoryName": "scaler-batch-worker", "imageTag": "1", "imageManifest": "{}"}
    manifest["imageManifestMediaType"] = "application/vnd.oci.image.manifest.v1+json"
    clients.call("ecr", "put_image", manifest)
