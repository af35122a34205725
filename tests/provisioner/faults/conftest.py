"""A local AWS in the process of the tests, of which each has a copy; or one in a process of its own, which modules
share whose jobs or delays need one, with a stack a test. Nothing pauses.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.retries.bucket import TokenBucket
from botocore.retries.quota import RetryQuota
from botocore.retries.standard import ExponentialBackoff

import provisioner.plan.executor
from provisioner.clients import Clients
from provisioner.local.aws import LocalAWS
from provisioner.plan.waiting import WaitPolicy
from tests.support.forks import run_forked
from tests.support.provisioner.faults.account_here import AccountHere
from tests.support.provisioner.faults.commands import REGION, Commands
from tests.support.provisioner.faults.shared_session import SharedSession
from tests.support.provisioner.faults.world import Before, Others, World, delete_service_role, put_data
from tests.support.provisioner.stacks import account

prefixes = (f"stack{number}" for number in itertools.count())


class Hurry:
    """Time that only sleeping moves."""

    def __init__(self) -> None:
        self._now = 0.0

    def sleep(self, seconds: float) -> None:
        self._now += seconds

    def wait_policy(self) -> WaitPolicy:
        return WaitPolicy(clock=lambda: self._now, sleep=self.sleep)


def hurry(patch: pytest.MonkeyPatch) -> None:
    """Pause neither on our own account nor between botocore's retries, which are as many as ever."""
    patch.setattr(provisioner.plan.executor, "WaitPolicy", lambda: Hurry().wait_policy())
    patch.setattr(ExponentialBackoff, "delay_amount", lambda backoff, context: 0)
    patch.setattr(TokenBucket, "acquire", lambda bucket, amount=1, block=True: True)
    patch.setattr(RetryQuota, "acquire", lambda quota, capacity_amount: True)


def reach(aws: LocalAWS, shared: SharedSession, patch: pytest.MonkeyPatch) -> None:
    """Let the commands find that account, by those clients."""
    for name, value in aws.environment().items():
        patch.setenv(name, value)
    patch.setattr(boto3, "Session", lambda **_: shared)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAWS]:
    with AccountHere(region=REGION) as aws:
        warm_up(aws, tmp_path_factory.mktemp("warm-up"))
        yield aws


def warm_up(aws: AccountHere, folder: Path) -> None:
    """What libraries read and remember at the first use, they would in each fork again."""
    account(Clients(REGION, session=aws.session(), endpoint_url=aws.endpoint))
    with pytest.MonkeyPatch.context() as patch:
        hurry(patch)
        reach(aws, aws.shared, patch)
        commands = Commands(next(prefixes), folder, aws.shared)
        assert commands.provision().exit_code == 0
        assert commands.cleanup().exit_code == 0
    delete_service_role(Clients(REGION, session=aws.session(), endpoint_url=aws.endpoint))


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Each test has the account as it is now, whatever others do to theirs."""
    if not isinstance(pyfuncitem.funcargs.get("aws"), AccountHere):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(pyfuncitem.obj).parameters}
    run_forked(lambda: pyfuncitem.obj(**arguments))
    return True


@pytest.fixture(scope="module")
def shared(aws: LocalAWS) -> SharedSession:
    return aws.shared if isinstance(aws, AccountHere) else SharedSession(aws.session())


@pytest.fixture
def commands(aws: LocalAWS, shared: SharedSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    reach(aws, shared, monkeypatch)
    return Commands(next(prefixes), tmp_path, shared)


@pytest.fixture(scope="module")
def whole(
    aws: LocalAWS, shared: SharedSession, clients_of_tests: Clients, others: Others, tmp_path_factory: Any
) -> Iterator[Commands]:
    """A provisioned stack with data in it, made once for tests whose account is their own."""
    assert isinstance(aws, AccountHere)
    others.before()
    with pytest.MonkeyPatch.context() as patch:
        hurry(patch)
        reach(aws, shared, patch)
        commands = Commands(next(prefixes), tmp_path_factory.mktemp("whole"), shared)
        assert commands.provision().exit_code == 0
        put_data(clients_of_tests, commands.prefix)
        yield commands
        assert commands.cleanup().exit_code == 0
        delete_service_role(clients_of_tests)


@pytest.fixture(scope="module")
def clients_of_tests(aws: LocalAWS) -> Clients:
    return Clients(REGION, session=aws.session(), endpoint_url=aws.endpoint)


@pytest.fixture(scope="module")
def others(aws: LocalAWS, clients_of_tests: Clients) -> Others:
    return (Before if isinstance(aws, AccountHere) else Others)(clients_of_tests)


@pytest.fixture
def world(aws: LocalAWS, clients_of_tests: Clients, others: Others, commands: Commands) -> Iterator[World]:
    world = World(aws, clients_of_tests, others, commands)
    if not isinstance(aws, AccountHere):
        delete_service_role(clients_of_tests)
    yield world
    world.recover()
