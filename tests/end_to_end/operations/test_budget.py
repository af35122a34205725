"""A budget on real processes: what is spent stops submissions, and a command lets them go on."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.model import Budget
from provisioner.local.cluster import LocalCluster
from tests.support.cluster.clients import talking_client
from tests.support.cluster.consoles import PROGRAM, UserFolders, user_folders
from tests.support.cluster.running_engine import await_condition, running_engine

DEGRADED = 3
A_SECOND = 1.0
TWO = """
import time
def nap(seconds):
    time.sleep(seconds)
with Client(address=ADDRESS) as client:
    print(client.submit(nap, 0.5).result(timeout=120), flush=True)
    second = client.submit(abs, -7)
    print("waits", flush=True)
    input()
    print(second.result(timeout=120))
"""


@pytest.fixture
def user(tmp_path: Path) -> Iterator[UserFolders]:
    with user_folders(tmp_path) as here:
        yield here


def call(user: UserFolders, *words: str) -> tuple[int, str]:
    environ = {**os.environ, **user.environ}
    done = subprocess.run((*PROGRAM, *words), env=environ, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def manager(user: UserFolders) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(call(user, "status", "--json")[1])["snapshot"]["managers"][0]
    return found


@pytest.mark.long
def test_a_spent_budget_holds_the_next_task_until_it_is_raised(
    cluster: LocalCluster, user: UserFolders, log: Path
) -> None:
    budget, price = Budget(0.1), A_SECOND * 3600
    with (
        running_engine(cluster, log, environ=user.environ, price=price, budget=budget) as engine,
        talking_client(cluster, TWO) as client,
    ):
        engine.wait_for_log(r"the budget of 0\.10 is spent: nothing more is submitted", 60)
        await_condition(lambda: manager(user)["counts"].get("QUEUED") == 1, 60)
        view = manager(user)
        assert view["budget"]["is_spent"]
        assert view["usage"]["money"] >= 0.1
        code, text = call(user, "status")
        assert code == DEGRADED
        assert "the budget of 0.10 is spent" in text
        code, text = call(user, "budget", "plenty")
        assert (code, "an amount of money like 50" in text) == (1, True)
        assert call(user, "budget", "1000")[0] == 0
        client.tell("on")
        assert client.finish(60).split() == ["None", "waits", "7"]
        assert call(user, "status")[0] == 0


@pytest.mark.long
def test_prices_are_read_once_somebody_looks_and_a_budget_without_them_is_refused(
    cluster: LocalCluster, user: UserFolders, log: Path
) -> None:
    with running_engine(cluster, log, environ=user.environ) as engine:
        engine.wait_for_log("scheduler: connected")
        await_condition(lambda: manager(user)["price"]["read_at"] is not None, 60)
        assert manager(user)["price"]["source"] in ("AWS price list", "EC2 Spot price history")
    cluster.aws.fault("error:DescribeInstanceTypes:500")
    try:
        with running_engine(cluster, log, environ=user.environ, budget=Budget(50.0)) as engine:
            assert engine.process.wait(60) == 2
            assert "a budget of 50.00 can't be kept while prices are unknown" in engine.log
    finally:
        cluster.aws.clear_faults()
