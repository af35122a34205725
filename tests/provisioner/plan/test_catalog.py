"""Catalog: every kind of resource is in it, each behind those that it needs."""

from __future__ import annotations

from provisioner.export.empty_account import EmptyAccount
from provisioner.kinds import ResourceKind
from provisioner.plan.catalog import desired_resources, known_resources
from provisioner.stack.naming import Stack
from provisioner.stack.spec import ProvisionSpec

STACK = Stack("us-east-1", "team", "123456789012", "aws")
EVERYTHING = ProvisionSpec(image=None, prefix="team", spot=True)


def test_every_kind_is_in_it() -> None:
    kinds = {one.kind for one in desired_resources(EVERYTHING, STACK, "vpc-1")}
    assert kinds == set(ResourceKind) - {ResourceKind.IMAGE}


def test_what_a_resource_needs_comes_before_it() -> None:
    before: set[ResourceKind] = set()
    for resource in desired_resources(EVERYTHING, STACK, "vpc-1"):
        assert before >= set(resource.needs) - {resource.kind}
        before.add(resource.kind)


def test_a_spec_without_spot_and_with_an_image_of_others_desires_less() -> None:
    everything = {one.key for one in desired_resources(EVERYTHING, STACK, "vpc-1")}
    plain = {one.key for one in desired_resources(ProvisionSpec(image="worker:1", prefix="team"), STACK, "vpc-1")}
    assert everything - plain == {"ECR repository team-worker", "compute environment team-spot"}


def test_a_cleanup_knows_all_but_what_the_account_shares() -> None:
    known = known_resources(STACK, EmptyAccount())
    assert not any(one.shared for one in known)
    desired = {(one.kind, one.name) for one in desired_resources(EVERYTHING, STACK, "vpc-1") if not one.shared}
    assert {(one.kind, one.name) for one in known} == desired
