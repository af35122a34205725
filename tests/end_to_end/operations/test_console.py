"""The console on real processes, in a terminal of 120x40: what a person sees of work, of failures and of ends."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.local.cluster import LocalCluster
from tests.support.cluster.clients import talking_client
from tests.support.cluster.consoles import UserFolders, counts, pictures, routes, total, used, user_folders
from tests.support.cluster.running_engine import await_condition, disabled_queue, running_engine
from tests.support.terminal import Terminal

TASKS = 500
HEAL_S = 5.0
FAILING = """
def price(leg):
    if leg == 7:
        raise ValueError("no curve")
    return leg
with Client(address=ADDRESS) as client:
    failed = [future.exception() for future in [client.submit(price, leg) for leg in range(12)]]
    print([leg for leg, error in enumerate(failed) if error])
"""
WAITING = "with Client(address=ADDRESS) as client: print(client.submit(lambda: 7).result())"
TRICKLE = """
import time
with Client(address=ADDRESS) as client:
    futures = []
    for number in range(12):
        futures.append(client.submit(abs, -number))
        time.sleep(0.2)  # each a submission of its own
    print([future.result() for future in futures] == list(range(12)))
"""
UNTIL_TOLD = """
import pathlib, time
def until(mark):
    while not pathlib.Path(mark).exists():
        time.sleep(0.05)
    return "finished"
with Client(address=ADDRESS) as client:
    print(client.submit(until, {mark!r}).result())
"""


@pytest.fixture
def user(tmp_path: Path) -> Iterator[UserFolders]:
    with user_folders(tmp_path) as here:
        yield here


@pytest.fixture(autouse=True)
def no_fault_left(cluster: LocalCluster) -> Iterator[None]:
    yield
    cluster.aws.clear_faults()


# ---- a demo


class Watcher:
    """Remembers what whole pictures said."""

    def __init__(self) -> None:
        self.states: set[str] = set()
        self.slots: set[float] = set()
        self.lines: set[str] = set()

    def look(self, text: str) -> bool:
        """Whether all is done; what can't be at any moment fails."""
        now, all_jobs, ways = counts(text), total(text), routes(text)
        if not now or not ways:
            return False
        assert sum(now.values()) == all_jobs, text
        assert sum(jobs for jobs, _ in ways.values()) <= TASKS
        assert sum(share for _, share in ways.values()) == 100, text
        self.states |= {state for state, number in now.items() if number}
        self.slots |= {slots for slots in [used(text, "concurrency")] if slots is not None}
        self.lines |= set(re.findall(r"\d ([0-9a-f]{4}) \S+ +runner: success", text))
        return now["SUCCEEDED"] == TASKS


@pytest.mark.long
def test_a_demo_is_seen_through_every_state_adds_up_and_leaves_nothing(user: UserFolders) -> None:
    seen = Watcher()
    with user.terminal("local", "--demo", str(TASKS)) as terminal:
        terminal.wait_for("LIVE", 90)
        assert any(map(seen.look, pictures(terminal, 180))), terminal.text
        assert sum(jobs for jobs, _ in routes(terminal.text).values()) == TASKS
        terminal.wait_for(lambda text: used(text, "concurrency") == 0)
        terminal.send("q")
        terminal.wait_for("end with this console")
        terminal.send("S")
        assert terminal.wait_end(30) == 0, terminal.text
        assert f"results right: {TASKS} of {TASKS}" in said_at_the_end(terminal)
    assert seen.states >= {"QUEUED", "SUBMITTED", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED"}
    assert len(seen.slots) > 1
    assert 0 < max(seen.slots) <= 100  # of jobs, whatever number of tasks they run
    assert len(seen.lines) > 1
    assert (user.processes(), user.engines(), list((user.folder / "tmp").iterdir())) == ([], [], [])


# ---- what goes wrong


@pytest.mark.long
def test_a_failed_jobs_traceback_is_three_keys_away(cluster: LocalCluster, user: UserFolders) -> None:
    with user.run(cluster) as terminal, talking_client(cluster, FAILING) as client:
        terminal.wait_for(lambda text: counts(text).get("FAILED") == 1, 30)
        assert client.finish(30) == "[7]\n"
        for key, place in (("j", "BATCH"), ("\r", "timeline"), ("l", "Traceback (most recent call last):")):
            terminal.send(key)
            text = terminal.wait_for(place)
        text = terminal.wait_for("ValueError")
        assert "in price" in text
        assert "no curve" not in text
        end(terminal, user)


@pytest.mark.long
def test_why_a_job_waits_and_the_command_that_helps_are_one_key_away(cluster: LocalCluster, user: UserFolders) -> None:
    cluster.aws.fault("no-capacity:1")
    with user.run(cluster) as terminal, talking_client(cluster, WAITING) as client:
        terminal.wait_for(lambda text: counts(text).get("RUNNABLE") == 1, 30)
        with disabled_queue(cluster):
            terminal.send("w")
            for seen in ("the queue is disabled", "FAIL", "aws batch update-job-queue"):
                terminal.wait_for(seen)
        cluster.aws.clear_faults()
        assert client.finish(60) == "7\n"
        terminal.send("\x1b")
        terminal.wait_for(lambda text: counts(text).get("SUCCEEDED") == 1)
        end(terminal, user)


@pytest.mark.long
def test_a_throttled_api_and_expired_credentials_are_seen_and_so_is_their_end(
    cluster: LocalCluster, user: UserFolders
) -> None:
    with user.run(cluster) as terminal:
        terminal.wait_for("LIVE", 60)
        cluster.aws.fault("throttle:SubmitJob:0/s")
        with talking_client(cluster, TRICKLE) as client:
            terminal.wait_for(lambda text: re.search(r"throttled \d+× in 5 min.*backing off", text) is not None, 30)
            terminal.wait_for(lambda text: re.search(r"SubmitJob .*THR", text) is not None)
            cluster.aws.clear_faults()
            cluster.aws.fault("expired-credentials")
            terminal.wait_for("the AWS credentials have expired", 30)
            cluster.aws.clear_faults()
            terminal.wait_for("LIVE", 60)
            assert client.finish(60) == "True\n"
        terminal.wait_for(lambda text: counts(text).get("SUCCEEDED") == 12)
        end(terminal, user)


@pytest.mark.long
def test_a_killed_engine_is_said_and_its_successor_is_seen_within_seconds(
    cluster: LocalCluster, user: UserFolders
) -> None:
    with user.run(cluster) as owner:
        owner.wait_for("LIVE", 60)
        with user.terminal("attach") as viewer:
            viewer.wait_for("LIVE")
            os.kill(engine_pid(user), signal.SIGKILL)
            for terminal in (owner, viewer):
                text = terminal.wait_for("ENGINE LOST")
                assert "retry in" in text
            owner.wait_for("the engine was killed by SIGKILL")
            with running_engine(cluster, user.folder / "successor", environ=user.environ) as engine:
                await_condition(lambda: len(user.engines()) == 1 and shown_pid(user) == engine.process.pid)
                reachable = time.monotonic()
                for terminal in (owner, viewer):
                    terminal.wait_for(lambda text: "ENGINE LOST" not in text, HEAL_S)
                print(f"\nhealed {time.monotonic() - reachable:.1f} s after the successor could be reached")
                viewer.send("q")
                assert viewer.wait_end() == 0
            owner.send("q")
            assert owner.wait_end() == 1
            assert "the engine was killed by SIGKILL" in said_at_the_end(owner)


# ---- several engines


@pytest.mark.long
def test_of_two_engines_in_one_console_the_one_that_is_shown_is_drained(
    cluster: LocalCluster, user: UserFolders
) -> None:
    go = user.folder / "go"
    with (
        running_engine(cluster, user.folder / "one", environ=user.environ, worker_manager_id="wm-one") as one,
        talking_client(cluster, UNTIL_TOLD.format(mark=str(go))) as client,
    ):
        await_condition(lambda: cluster.aws.jobs()["running"] == 1, 60, lambda: one.log)
        with running_engine(cluster, user.folder / "two", environ=user.environ, worker_manager_id="wm-two") as two:
            two.wait_for_log("scheduler: connected")
            with user.terminal("attach", "--all", "--allow-writes") as terminal:
                terminal.wait_for(lambda text: counts(text).get("RUNNING") == 1, 60)
                terminal.send("A")
                terminal.wait_for(lambda text: "2 engines" in text and "wm-one" in text and "wm-two" in text)
                terminal.send("jj\r")
                terminal.wait_for(lambda text: "BATCH › wm-two" in text and counts(text).get("RUNNING") == 0)
                terminal.send(":drain\r")
                assert "wm-two" in terminal.wait_for("Drain (y)").partition("drain?")[2]
                terminal.send("y")
                assert two.process.wait(30) == 0
                terminal.wait_for("ENGINE LOST", 30)
                terminal.send("(")
                terminal.wait_for(lambda text: "BATCH › wm-one" in text and "wm-two: ENGINE LOST" in text)
                go.touch()
                assert client.finish(30) == "finished\n"
                terminal.wait_for(lambda text: counts(text).get("SUCCEEDED") == 1)
                terminal.send("q")
                assert terminal.wait_end() == 0


# ---- how it is left


@pytest.mark.long
def test_an_engine_left_running_is_come_back_to_with_the_words_that_were_printed(
    cluster: LocalCluster, user: UserFolders
) -> None:
    go = user.folder / "go"
    with talking_client(cluster, UNTIL_TOLD.format(mark=str(go))) as client:
        with user.run(cluster) as terminal:
            terminal.wait_for(lambda text: counts(text).get("RUNNING") == 1, 60)
            choose(terminal, "l")
            assert terminal.wait_end() == 0
            words = re.search(r"come back with: scaler-batch (.+)", said_at_the_end(terminal))
        assert words is not None
        pid = engine_pid(user)
        for last in (signal.SIGKILL, signal.SIGHUP):
            with user.terminal(*words[1].split()) as terminal:
                terminal.wait_for("READ-WRITE")
                terminal.wait_for(lambda text: counts(text).get("RUNNING") == 1)
                terminal.process.send_signal(last)
                assert terminal.wait_end() == {signal.SIGKILL: -9, signal.SIGHUP: 129}[last]
        with user.terminal(*words[1].split()) as terminal:
            terminal.wait_for(lambda text: counts(text).get("RUNNING") == 1)
            assert engine_pid(user) == pid
            terminal.send(":drain\r")
            terminal.wait_for("Drain (y)")
            terminal.send("y")
            terminal.wait_for("DRAINING")
            go.touch()
            assert client.finish(30) == "finished\n"
            terminal.wait_for("ENGINE LOST", 30)
        await_condition(lambda: user.engines() == [])


@pytest.mark.long
def test_a_killed_console_leaves_its_engine_at_work_and_terminate_ends_what_runs(
    cluster: LocalCluster, user: UserFolders
) -> None:
    go = user.folder / "go"
    with talking_client(cluster, UNTIL_TOLD.format(mark=str(go))) as client:
        with user.run(cluster) as terminal:
            terminal.wait_for(lambda text: counts(text).get("RUNNING") == 1, 60)
            terminal.process.kill()
            terminal.wait_end()
        go.touch()
        assert client.finish(30) == "finished\n"
    os.kill(engine_pid(user), signal.SIGTERM)
    await_condition(lambda: user.processes() == [], 30)
    never = user.folder / "never"
    with talking_client(cluster, UNTIL_TOLD.format(mark=str(never))), user.run(cluster) as terminal:
        terminal.wait_for(lambda text: counts(text).get("RUNNING") == 1, 60)
        end(terminal, user)
        assert cluster.aws.jobs()["running"] == 0


def said_at_the_end(terminal: Terminal) -> str:
    """After the console gave the screen back."""
    return bytes(terminal.output).rpartition(b"\x1b[?1049l")[2].decode().replace("\r\n", "\n")


def engine_pid(user: UserFolders) -> int:
    pid = shown_pid(user)
    assert pid is not None
    return pid


def shown_pid(user: UserFolders) -> int | None:
    """None before the engine has told about itself."""
    [name] = user.engines()
    card = user.runtime / "scaler-batch" / name / "engine.json"
    found = re.search(r'"pid":(\d+)', card.read_text()) if card.exists() else None
    return int(found[1]) if found else None


def choose(terminal: Terminal, letter: str) -> None:
    """Quit, and this button of the dialog."""
    terminal.send("q")
    terminal.wait_for("Leave it running (l)")
    terminal.send(letter)


def end(terminal: Terminal, user: UserFolders) -> None:
    """Stop now: the console ends at once, its engine soon after."""
    choose(terminal, "S")
    assert terminal.wait_end() == 0, terminal.text
    await_condition(lambda: user.processes() == [], 30)
