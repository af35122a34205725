"""Job definition: the runner's parameters, retries, memory and user; a new revision for each change."""

from __future__ import annotations

import dataclasses

from provisioner.clients import Clients
from provisioner.stack.spec import ProvisionSpec
from tests.support.provisioner.stacks import (
    apply,
    changes,
    newest_definition,
    plan_for,
)

SPEC = ProvisionSpec(image="123456789012.dkr.ecr.us-east-1.amazonaws.com/worker:1", memory=4000)


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
