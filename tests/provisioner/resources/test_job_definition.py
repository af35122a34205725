"""Job definition: the runner's parameters, retries, memory and user; a new revision for each change."""

from __future__ import annotations

import dataclasses
import re

import pytest

from provisioner.clients import Clients
from provisioner.resources.job_definition import definition
from provisioner.stack.naming import Stack
from provisioner.stack.spec import ProvisionSpec
from tests.support.provisioner.stacks import (
    apply,
    changes,
    newest_definition,
    plan_for,
)

SPEC = ProvisionSpec(image="123456789012.dkr.ecr.us-east-1.amazonaws.com/worker:1", memory=4000)
STACK = Stack("us-east-1", "scaler-batch", "123456789012", "aws")


def test_the_definition_gives_the_runner_its_four_parameters(clients: Clients) -> None:
    apply(SPEC, clients)
    found = newest_definition(clients)
    names = ("store", "submission", "payload", "options")
    words = [word for name in names for word in (f"--{name}", f"Ref::{name}")]
    assert found["containerProperties"]["command"] == words
    assert found["parameters"] == dict.fromkeys(names, "none")


def test_the_definition_retries_lost_hosts_and_nothing_else_by_default(clients: Clients) -> None:
    apply(SPEC, clients)
    strategy = newest_definition(clients)["retryStrategy"]
    assert strategy["attempts"] == 3
    last = strategy["evaluateOnExit"][-1]
    assert (last["onReason"], last["action"].upper()) == ("*", "EXIT")


def test_the_definition_asks_for_the_containers_share_of_the_memory(clients: Clients) -> None:
    apply(SPEC, clients)
    required = newest_definition(clients)["containerProperties"]["resourceRequirements"]
    assert {"type": "MEMORY", "value": "3686"} in required


def test_a_job_runs_as_nobody(clients: Clients) -> None:
    apply(SPEC, clients)
    assert newest_definition(clients)["containerProperties"]["user"] == "65534:65534"


def test_a_changed_image_makes_one_new_revision_and_takes_the_old_one_away(clients: Clients) -> None:
    apply(SPEC, clients)
    changed = dataclasses.replace(SPEC, image="docker.io/me/worker:2")
    assert changes(plan_for(changed, clients)) == [
        "update IAM role scaler-batch-execution-us-east-1",
        "update job definition scaler-batch-job",
    ]
    apply(changed, clients)
    words = {"jobDefinitionName": "scaler-batch-job", "status": "ACTIVE"}
    active = clients.listing("batch", "describe_job_definitions", "jobDefinitions", words)
    assert [found["revision"] for found in active] == [2]


@pytest.mark.long
def test_shared_memory_and_file_systems_are_in_the_definition_and_go_again(clients: Clients) -> None:
    efs = ("fs-0a1b:/mnt/data", "fs-0a1c/fsap-0a1d:/mnt/ref.1")
    apply(dataclasses.replace(SPEC, shm_mib=1024, efs=efs), clients)
    container = newest_definition(clients)["containerProperties"]
    assert container["linuxParameters"]["sharedMemorySize"] == 1024
    assert [one["efsVolumeConfiguration"] for one in container["volumes"]] == [
        {"fileSystemId": "fs-0a1b", "transitEncryption": "ENABLED"},
        {
            "fileSystemId": "fs-0a1c",
            "transitEncryption": "ENABLED",
            "authorizationConfig": {"accessPointId": "fsap-0a1d"},
        },
    ]
    places = {one["name"]: one["efsVolumeConfiguration"]["fileSystemId"] for one in container["volumes"]}
    mounted = {one["containerPath"]: places[one["sourceVolume"]] for one in container["mountPoints"]}
    assert mounted == {"/mnt/data": "fs-0a1b", "/mnt/ref.1": "fs-0a1c"}
    assert changes(plan_for(SPEC, clients)) == ["update job definition scaler-batch-job"]


def test_names_of_volumes_are_ones_that_aws_takes() -> None:
    """https://docs.aws.amazon.com/batch/latest/APIReference/API_Volume.html"""
    spec = dataclasses.replace(SPEC, efs=("fs-0a1b:/mnt/a.b", "fs-0a1b:/mnt/c_d"))
    names = [one["name"] for one in definition(STACK, spec)["containerProperties"]["volumes"]]
    assert len({*names}) == 2
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,255}", name) for name in names)
