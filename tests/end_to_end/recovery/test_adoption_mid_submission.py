"""A manager that is killed in the middle of a submission: its bundle lies in S3, and nobody knows of a job."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from provisioner.local.cluster import LocalCluster
from tests.support.cluster.running_engine import await_condition, client_process, keys_left, running_engine

CLIENT = """
def work(path, padding):
    with open(path, "a") as calls:
        calls.write("called\\n")
    return len(padding)
with Client(address=ADDRESS) as client:
    futures = [client.submit(work, os.path.join({folder!r}, str(n)), os.urandom(40_000)) for n in range(3)]
    print([future.result(timeout=60) for future in futures])
"""


@pytest.mark.long
def test_a_kill_between_the_bundle_and_its_submission_loses_nothing_and_runs_nothing_twice(
    tmp_path: Path, log: Path
) -> None:
    folder = tmp_path / "calls"
    folder.mkdir()
    with LocalCluster(state_dir=tmp_path / "cluster") as cluster:
        client = client_process(cluster, CLIENT.format(folder=str(folder)))
        try:
            cluster.aws.fault("throttle:SubmitJob:0/s")
            with running_engine(cluster, log) as engine:
                await_condition(lambda: any("/payloads/" in key for key in keys_left(cluster, "wm-test")), 30)
                engine.stop(signal.SIGKILL)
            cluster.aws.clear_faults()
            with running_engine(cluster, tmp_path / "second.log") as engine:
                output, errors = client.communicate(timeout=60)
                assert output.strip() == "[40000, 40000, 40000]", errors + engine.log
                await_condition(
                    lambda: all(key.endswith("/lease") for key in keys_left(cluster, "wm-test")),
                    30,
                    lambda: f"{keys_left(cluster, 'wm-test')}\n{engine.log}",
                )
        finally:
            client.kill()
            client.communicate()
    assert [path.read_text() for path in folder.iterdir()] == ["called\n"] * 3
