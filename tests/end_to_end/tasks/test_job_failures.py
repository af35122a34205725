"""Jobs that fail before, or instead of, the runner's word: the client gets a builtin exception that says why."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.local.cluster import LocalCluster
from tests.support.cluster.running_engine import Engine, run_client, running_engine

SUBMIT = """
def task():
    import time
    print("working on it", flush=True)
    time.sleep(0.5)
    return "done"
with Client(address=ADDRESS) as client:
    future = client.submit(task)
    error = future.exception(timeout=90)
    print(type(error).__name__, "|", error if error else future.result())
"""


@pytest.fixture(autouse=True)
def no_fault_left(cluster: LocalCluster) -> Iterator[None]:
    yield
    cluster.aws.clear_faults()


@pytest.mark.parametrize(
    ("fault", "kind", "texts"),
    [
        ("start-failure:1", "RuntimeError", ["CannotPullContainerError", "job id"]),
        ("oom:1", "MemoryError", ["OutOfMemoryError", "137", "job id"]),
        ("spot:1", "RuntimeError", ["Host EC2", "job id", "attempts: 3"]),
        pytest.param("vanish:1", "RuntimeError", ["job"], marks=pytest.mark.long),
        pytest.param("drop-result:1", "RuntimeError", ["result", "job id"], marks=pytest.mark.long),
        pytest.param("corrupt-result:1", "RuntimeError", ["result"], marks=pytest.mark.long),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_job_without_a_result_fails_with_the_reason(
    cluster: LocalCluster, engine: Engine, fault: str, kind: str, texts: list[str]
) -> None:
    cluster.aws.fault(fault)
    printed = run_client(cluster, SUBMIT)
    assert printed.startswith(kind)
    assert [text for text in texts if text not in printed] == []


@pytest.mark.parametrize(
    "fault",
    [
        "spot:1:x1",
        pytest.param("start-failure:1:x1", marks=pytest.mark.long),
        pytest.param("vanish:1:x1", marks=pytest.mark.long),
        pytest.param("late-result:1:2s:x1", marks=pytest.mark.long),
        "ambiguous:SubmitJob:x1",
        "ambiguous:SubmitJob:500:x1",
        pytest.param("error:SubmitJob:503:x3", marks=pytest.mark.long),
        pytest.param("throttle:batch:0.5/s:6s", marks=pytest.mark.long),
        pytest.param("error:s3:503:3s", marks=pytest.mark.long),
        pytest.param("expired-credentials:4s", marks=pytest.mark.long),
    ],
)
def test_what_passes_is_waited_out_or_repeated(cluster: LocalCluster, engine: Engine, fault: str) -> None:
    cluster.aws.fault(fault)
    assert run_client(cluster, SUBMIT).startswith("NoneType | done")


@pytest.mark.long
def test_a_job_past_its_timeout_is_a_timeout_error(tmp_path: Path) -> None:
    script = """
    def task():
        import time
        print("still at it", flush=True)
        time.sleep(60)
    with Client(address=ADDRESS) as client:
        error = client.submit(task).exception(timeout=60)
        print(type(error).__name__, "|", error)
    """
    # AWS allows no timeout under a minute, so this local AWS runs its own times 40 times as fast
    with (
        LocalCluster(state_dir=tmp_path / "cluster", time_scale=0.025) as cluster,
        running_engine(cluster, tmp_path / "log", job_timeout_minutes=1),
    ):
        printed = run_client(cluster, script)
    assert printed.startswith("TimeoutError")
    assert "still at it" in printed
