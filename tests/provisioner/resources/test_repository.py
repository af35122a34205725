"""ECR repository: only where the image is built, and kept when it no longer is."""

from __future__ import annotations

import dataclasses

from provisioner.clients import Clients
from provisioner.resources.repository import Repository
from provisioner.stack.naming import Stack
from provisioner.stack.spec import ProvisionSpec
from tests.support.provisioner.account import ACCOUNT, REGION
from tests.support.provisioner.stacks import (
    apply,
    changes,
    plan_for,
)

SPEC = ProvisionSpec(image="123456789012.dkr.ecr.us-east-1.amazonaws.com/worker:1", memory=4000)


BUILT = dataclasses.replace(SPEC, image=f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/scaler-batch-worker:built")


def test_it_is_desired_when_the_image_comes_from_it() -> None:
    repository = Repository(Stack(REGION, "team", ACCOUNT, "aws"))
    uri = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/team-worker"
    images = {None: True, f"{uri}@sha256:1": True, f"{uri}:tag": True, f"{uri}-two:tag": False, "worker:1": False}
    assert {image: repository.is_desired(dataclasses.replace(SPEC, image=image)) for image in images} == images


def test_it_outlives_a_spec_that_gives_an_image(clients: Clients) -> None:
    apply(BUILT, clients)
    assert changes(plan_for(BUILT, clients)) == []
    assert not any("ECR repository" in change for change in changes(plan_for(SPEC, clients)))


def test_a_tag_that_may_move_is_fixed_again(clients: Clients) -> None:
    apply(BUILT, clients)
    words = {"repositoryName": "scaler-batch-worker", "imageTagMutability": "MUTABLE"}
    clients.call("ecr", "put_image_tag_mutability", words)
    assert changes(plan_for(BUILT, clients)) == ["update ECR repository scaler-batch-worker"]
    apply(BUILT, clients)
    assert changes(plan_for(BUILT, clients)) == []
