"""`Client(stream_output=True)`: every line that a task prints reaches its client once, before the result."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from provisioner.local.cluster import LocalCluster
from tests.support.cluster.running_engine import run_client, running_engine

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
