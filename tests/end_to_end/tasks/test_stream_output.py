"""`Client(stream_output=True)`: every line that a task prints reaches its client once, before the result."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from provisioner.local.cluster import LocalCluster
from tests.support.cluster.running_engine import await_condition, client_process, end_client, run_client, running_engine

CLIENT = """
import contextlib, io, json
def chatty(number):
    import sys
    for line in range(3):
        print(f"task {number} line {line} \\u00fc")
    print(f"error {number}", file=sys.stderr)
    if number == 4:
        raise ValueError(number)
    return number
out, err = io.StringIO(), io.StringIO()
seen = []
with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
    with Client(address=ADDRESS, stream_output=True) as client:
        futures = [client.submit(chatty, number) for number in range(5)]
        for number, future in enumerate(futures):
            failure = future.exception(timeout=60)
            seen.append(f"task {number} line 2 \\u00fc\\n" in out.getvalue())
print(json.dumps([seen, sorted(out.getvalue().splitlines()), sorted(err.getvalue().splitlines())]))
"""


@pytest.mark.long
@pytest.mark.parametrize("cluster", ["ymq", "zmq"], indirect=True)
def test_each_line_of_an_array_of_tasks_comes_once_and_before_the_result(cluster: LocalCluster, log: Path) -> None:
    with running_engine(cluster, log, worker_manager_id="wm-output"):
        seen, out, err = json.loads(run_client(cluster, CLIENT))
    assert seen == [True] * 5
    assert out == [f"task {number} line {line} \u00fc" for number in range(5) for line in range(3)]
    assert [line for line in err if line.startswith("error")] == [f"error {number}" for number in range(5)]


WAITING_CLIENT = """
import contextlib, io, json
def waiting(number, folder):
    import pathlib, time
    print(f"task {number} begins", flush=True)
    pathlib.Path(folder, f"began-{number}").touch()
    while not pathlib.Path(folder, f"go-{number % 2}").exists():
        time.sleep(0.05)
    print(f"task {number} ends")
out = io.StringIO()
with contextlib.redirect_stdout(out), Client(address=ADDRESS, stream_output=True) as client:
    for future in [client.submit(waiting, number, sys.argv[1]) for number in range(4)]:
        future.result(timeout=90)
print(json.dumps(sorted(out.getvalue().splitlines())))
"""


@pytest.mark.long
@pytest.mark.parametrize("cluster", ["ymq", "zmq"], indirect=True)
def test_after_a_takeover_each_line_comes_once(cluster: LocalCluster, log: Path, tmp_path: Path) -> None:
    client = client_process(cluster, WAITING_CLIENT, str(tmp_path))
    try:
        with running_engine(cluster, log, worker_manager_id="wm-output-taken") as first:
            await_condition(lambda: len(list(tmp_path.glob("began-*"))) == 4, 30, lambda: first.log)
            first.stop(signal.SIGKILL)
        (tmp_path / "go-0").touch()  # these end while there is no manager
        await_condition(lambda: cluster.aws.jobs()["running"] <= 2, 30, lambda: first.log)
        with running_engine(cluster, tmp_path / "second.log", worker_manager_id="wm-output-taken") as second:
            (tmp_path / "go-1").touch()
            out, errors = client.communicate(timeout=90)
            assert out, errors + second.log
    finally:
        end_client(client, cluster)
    assert json.loads(out) == [f"task {number} {what}" for number in range(4) for what in ("begins", "ends")]


LIVE_CLIENT = """
import contextlib, io, json, pathlib, time
def talking(number, folder):
    import os, pathlib, sys, time
    print(f"task {number} begins \\u00fc\\n")
    os.system(f"echo task {number} calls")
    print(f"error {number}", file=sys.stderr)
    for line in ("first", "second"):
        while not pathlib.Path(folder, f"{line}-{number}").exists():
            time.sleep(0.05)
        print(f"task {number} {line}")
    print(f"task {number} ends", end="")
folder = pathlib.Path(sys.argv[1])
out, err = io.StringIO(), io.StringIO()
def wait_for(stream, *texts):
    end = time.monotonic() + 90
    while not all(text in stream.getvalue() for text in texts):
        assert time.monotonic() < end, (out.getvalue(), err.getvalue())
        time.sleep(0.05)
with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
    with Client(address=ADDRESS, stream_output=True) as client:
        futures = [client.submit(talking, number, str(folder)) for number in range(2)]
        for number in range(2):
            wait_for(out, f"task {number} calls\\n")
            wait_for(err, f"error {number}\\n")
            (folder / f"first-{number}").touch()
            wait_for(out, f"task {number} first\\n")
            (folder / f"second-{number}").touch()
        for future in futures:
            future.result(timeout=90)
print(json.dumps([out.getvalue(), err.getvalue()]))
"""


@pytest.mark.long
@pytest.mark.parametrize(
    ("cluster", "pack", "parallel"), [("zmq", "off", 1), ("ymq", 2, 1), ("ymq", 2, 2)], indirect=["cluster"]
)
def test_lines_of_tasks_that_run_on_come_while_they_do_and_once(
    cluster: LocalCluster, log: Path, tmp_path: Path, pack: str | int, parallel: int
) -> None:
    """What a task waits for is written once its client has seen what it printed."""
    name = f"wm-live-{pack}-{parallel}"
    with running_engine(cluster, log, worker_manager_id=name, pack=pack, pack_parallel=parallel):
        out, err = json.loads(run_client(cluster, LIVE_CLIENT, str(tmp_path)))
    said = ("begins \u00fc\n\n", "calls\n", "first\n", "second\n", "ends")
    counts = {f"task {number} {what}": 0 for number in range(2) for what in said}
    assert {text: out.count(text) for text in counts} == dict.fromkeys(counts, 1), out
    assert [err.count(f"error {number}\n") for number in range(2)] == [1, 1], err


MANY_CLIENT = """
import contextlib, io, json, pathlib, time
def talking(number, folder):
    import pathlib, time
    print(f"task {number} begins")
    while not pathlib.Path(folder, f"go-{number}").exists():
        time.sleep(0.05)
    print(f"task {number} ends")
FOLLOWED, TASKS = 8, 10
out = io.StringIO()
def begun():
    return [number for number in range(TASKS) if f"task {number} begins\\n" in out.getvalue()]
def wait_for(count):
    end = time.monotonic() + 90
    while len(begun()) < count:
        assert time.monotonic() < end, out.getvalue()
        time.sleep(0.05)
def release(numbers):
    for number in numbers:
        pathlib.Path(sys.argv[1], f"go-{number}").touch()
        futures[number].result(timeout=90)
with contextlib.redirect_stdout(out), Client(address=ADDRESS, stream_output=True) as client:
    futures = [client.submit(talking, number, sys.argv[1]) for number in range(TASKS)]
    wait_for(FOLLOWED)
    first, early = begun(), [future.done() for future in futures]
    release(first)
    wait_for(TASKS)
    late = [futures[number].done() for number in range(TASKS) if number not in first]
    release(set(range(TASKS)) - set(first))
print(json.dumps([early + late, out.getvalue().splitlines()]))
"""


@pytest.mark.long
def test_the_first_lines_of_eight_tasks_come_while_they_wait_and_then_those_of_others(
    cluster: LocalCluster, log: Path, tmp_path: Path
) -> None:
    with running_engine(cluster, log, worker_manager_id="wm-many"):
        done, lines = json.loads(run_client(cluster, MANY_CLIENT, str(tmp_path)))
    assert not any(done)
    told = [f"task {number} {what}" for number in range(10) for what in ("begins", "ends")]
    assert sorted(lines) == sorted(told)
    assert all(lines.index(f"task {number} begins") < lines.index(f"task {number} ends") for number in range(10))
