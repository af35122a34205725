"""What organizations demand: tags of their own on everything, theirs left alone, and no bucket but one's own."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import boto3
import pytest

from engine.errors import ConfigError
from provisioner.clients import Clients, Document
from provisioner.errors import CallFailed, ProvisionError
from provisioner.kinds import ResourceKind
from provisioner.plan.catalog import desired_resources
from provisioner.plan.model import ApiCall
from provisioner.plan.planner import Claims
from provisioner.plan.remote import RemoteState
from provisioner.resources.bucket import Bucket
from provisioner.resources.network import network_of
from provisioner.resources.repository import LIFECYCLE_POLICY
from provisioner.stack.naming import TAG, from_tag_list
from provisioner.stack.spec import ProvisionSpec
from tests.support.provisioner.account import ACCOUNT, REGION
from tests.support.provisioner.stacks import (
    apply,
    change_of,
    changes,
    clean,
    compute_resources,
    plan_for,
    stack_for,
)
from tests.support.recorded_answers import STACK

REGISTRY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
SPEC = ProvisionSpec(image=f"{REGISTRY}/scaler-batch-worker:1")
CENTER = (("CostCenter", "42"), ("team", "quants + co"))
TAGGED = dataclasses.replace(SPEC, tags=CENTER)
ALL_TAGS = {**dict(CENTER), TAG: "scaler-batch"}
BUCKET = f"scaler-batch-{ACCOUNT}-{REGION}"
THEIRS = {"team": "genomics", "cost-center": "42"}


def test_tags_of_ones_own_are_on_all_that_is_made_and_on_instances_and_disks(clients: Clients) -> None:
    apply(TAGGED, clients)
    remote, stack = RemoteState(clients), stack_for(TAGGED, clients)
    made = [one for one in desired_resources(TAGGED, stack, network_of(TAGGED, remote).vpc_id) if not one.shared]
    found = {one.key: one.read(remote) for one in made}
    assert {key: one and one.properties["tags"] for key, one in found.items()} == dict.fromkeys(found, ALL_TAGS)
    assert compute_resources(clients)["tags"] == ALL_TAGS
    (template,) = [one for one in found.values() if one and "data" in one.properties]
    (disks,) = template.properties["data"]["TagSpecifications"]
    assert from_tag_list(disks["Tags"]) == ALL_TAGS
    assert changes(plan_for(TAGGED, clients)) == []


def test_the_bucket_has_them_from_its_creation() -> None:
    """Policies of an organization may demand them there."""
    made = creation_of_bucket(TAGGED)
    assert made.parameters["CreateBucketConfiguration"] == {
        "LocationConstraint": "eu-west-1",
        "Tags": [{"Key": key, "Value": value} for key, value in ALL_TAGS.items()],
    }


def creation_of_bucket(spec: ProvisionSpec) -> ApiCall:
    stack = dataclasses.replace(STACK, region="eu-west-1", prefix="scaler-batch").tagged(spec.tags)
    bucket = Bucket(stack)
    first = bucket.create(bucket.desired(spec, RemoteState(Clients("eu-west-1"))))[0]
    assert isinstance(first, ApiCall)
    return first


@pytest.mark.long
def test_a_tag_that_comes_later_changes_nothing_but_tags(clients: Clients) -> None:
    apply(SPEC, clients)
    plan = plan_for(TAGGED, clients)
    paths = {field.path for change in plan.changes for field in change.fields}
    assert [change.name for change in plan.changes if not change.fields] == ["AWSServiceRoleForBatch"]
    assert all("tags" in path.lower() or path.startswith("data.TagSpecifications") for path in paths - {VERSION})


VERSION = "computeResources.launchTemplate.version"
"""Disks get their tags from a new version of the template."""


@pytest.mark.parametrize(
    ("tags", "why"),
    [
        ((("aws:x", "1"),), "aws: AWS's"),
        (((TAG, "other"),), "is ours"),
        ((("a", "1"), ("a", "2")), "once a key"),
        ((("a", "x" * 257),), "256 characters"),
        ((("a", "<b>"),), "letters, digits"),
        (tuple((f"k{n}", "") for n in range(41)), "40 times"),
    ],
)
def test_tags_that_can_not_be_are_refused(tags: tuple[tuple[str, str], ...], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        ProvisionSpec(image="x", tags=tags)


# ---- what is others' stays


@pytest.mark.long
def test_adopting_a_bucket_keeps_its_other_tags(clients: Clients) -> None:
    clients.call("s3", "create_bucket", {"Bucket": BUCKET})
    tag_set = [{"Key": key, "Value": value} for key, value in THEIRS.items()]
    clients.call("s3", "put_bucket_tagging", {"Bucket": BUCKET, "Tagging": {"TagSet": tag_set}})
    apply(SPEC, clients, Claims(adopt=True))
    found = clients.call("s3", "get_bucket_tagging", {"Bucket": BUCKET})["TagSet"]
    assert from_tag_list(found) == {**THEIRS, TAG: "scaler-batch"}


@pytest.mark.long
def test_adopting_a_repository_keeps_its_other_rules_behind_ours(clients: Clients) -> None:
    newest = {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 3}
    theirs = {"rulePriority": 1, "description": "keep 3", "selection": newest, "action": {"type": "expire"}}
    clients.call("ecr", "create_repository", {"repositoryName": "scaler-batch-worker"})
    text = json.dumps({"rules": [theirs]})
    named = {"repositoryName": "scaler-batch-worker"}
    clients.call("ecr", "put_lifecycle_policy", {**named, "lifecyclePolicyText": text})
    assert change_of(plan_for(SPEC, clients, Claims(adopt=True)), ResourceKind.REPOSITORY).fields
    apply(SPEC, clients, Claims(adopt=True))
    written = json.loads(clients.call("ecr", "get_lifecycle_policy", named)["lifecyclePolicyText"])
    assert written == {"rules": [*LIFECYCLE_POLICY["rules"], {**theirs, "rulePriority": 2}]}
    assert changes(plan_for(SPEC, clients)) == []


# ---- no bucket but one's own


class Recording(Clients):
    """Keeps the parameters of each call of S3."""

    def __init__(self, url: str, session: boto3.Session) -> None:
        super().__init__(REGION, session=session, endpoint_url=url)
        self.asked: list[tuple[str, Mapping[str, object]]] = []

    def call(self, service: str, operation: str, parameters: Mapping[str, object]) -> Document:
        if service == "s3":
            self.asked.append((operation, parameters))
        return super().call(service, operation, parameters)

    def listing(self, service: str, operation: str, key: str, parameters: Mapping[str, object]) -> list[Document]:
        if service == "s3":
            self.asked.append((operation, parameters))
        return super().listing(service, operation, key, parameters)


@pytest.mark.long
def test_every_call_about_the_bucket_names_its_owner(account_url: str, session: boto3.Session) -> None:
    clients = Recording(account_url, session)
    apply(SPEC, clients)
    put: dict[str, Any] = {"Bucket": BUCKET, "Key": "a", "Body": b"1", "ExpectedBucketOwner": ACCOUNT}
    clients.call("s3", "put_object", put)
    clean(SPEC, clients)
    nameless = {name for name, parameters in clients.asked if parameters.get("ExpectedBucketOwner") != ACCOUNT}
    assert nameless == {"create_bucket"}  # which takes none
    assert {"delete_objects", "list_object_versions", "delete_bucket"} <= {name for name, _ in clients.asked}


def test_a_bucket_of_another_account_is_told_as_that() -> None:
    class Foreign(Clients):
        def call(self, service: str, operation: str, parameters: Mapping[str, object]) -> Document:
            raise CallFailed("s3:HeadBucket", "403", "Forbidden")

    with pytest.raises(ProvisionError, match="is another account's"):
        Bucket(STACK).read(RemoteState(Foreign(REGION)))
