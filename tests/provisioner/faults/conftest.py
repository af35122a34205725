"""One local AWS for all tests of this folder; each has a stack of its own in it. Nothing pauses."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from botocore.retries.bucket import TokenBucket
from botocore.retries.quota import RetryQuota
from botocore.retries.standard import ExponentialBackoff

import provisioner.plan.executor
from provisioner.clients import Clients
from provisioner.local.aws import LocalAWS
from provisioner.plan.waiting import WaitPolicy
from tests.support.provisioner.faults.commands import REGION, Commands
from tests.support.provisioner.faults.shared_session import SharedSession
from tests.support.provisioner.faults.world import Others, World

prefixes = (f"stack{number}" for number in itertools.count())


class Hurry:
    """Time that only sleeping moves."""

    def __init__(self) -> None:
        self._now = 0.0

    def sleep(self, seconds: float) -> None:
        self._now += seconds

    def wait_policy(self) -> WaitPolicy:
        return WaitPolicy(clock=lambda: self._now, sleep=self.sleep)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither ours nor those between botocore's retries, which are as many as ever."""
    monkeypatch.setattr(provisioner.plan.executor, "WaitPolicy", lambda: Hurry().wait_policy())
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda backoff, context: 0)
    monkeypatch.setattr(TokenBucket, "acquire", lambda bucket, amount=1, block=True: True)
    monkeypatch.setattr(RetryQuota, "acquire", lambda quota, capacity_amount: True)


@pytest.fixture(scope="session")
def aws() -> Iterator[LocalAWS]:
    with LocalAWS(region=REGION) as aws:
        yield aws


@pytest.fixture(scope="module")
def shared(aws: LocalAWS) -> SharedSession:
    return SharedSession(aws.session())


@pytest.fixture
def commands(aws: LocalAWS, shared: SharedSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    for name, value in aws.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "Session", lambda **_: shared)
    return Commands(next(prefixes), tmp_path, shared)


@pytest.fixture(scope="module")
def clients_of_tests(aws: LocalAWS) -> Clients:
    return Clients(REGION, session=aws.session(), endpoint_url=aws.endpoint)


@pytest.fixture(scope="module")
def others(clients_of_tests: Clients) -> Others:
    return Others(clients_of_tests)


@pytest.fixture
def world(aws: LocalAWS, clients_of_tests: Clients, others: Others, commands: Commands) -> Iterator[World]:
    world = World(aws, clients_of_tests, others, commands)
    world.without_service_role()
    yield world
    world.recover()
