"""A local AWS for all tests of this folder, with a queue and definitions that run Python source or the real runner."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from provisioner.local.aws import LocalAWS
from tests.support.local_aws.account import PROGRAM, TIME_SCALE, Account, open_account


@pytest.fixture(scope="session")
def local_aws() -> Iterator[LocalAWS]:
    with LocalAWS(program=PROGRAM, time_scale=TIME_SCALE, random_seed=1) as aws:
        yield aws


@pytest.fixture(scope="session")
def shared_account(local_aws: LocalAWS) -> Account:
    return open_account(local_aws)


@pytest.fixture
def account(shared_account: Account) -> Iterator[Account]:
    """The account that all share, without faults before and after."""
    yield shared_account
    shared_account.aws.clear_faults()
