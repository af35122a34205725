"""Checks of what must not run twice, nor be lost: a killed manager, a lost answer, a second manager."""

from __future__ import annotations

import json
from typing import Any, Final

from engine.aws.batch_states import ENDED, BatchState
from provisioner.clients import Document
from provisioner.selftest.bench import LEASE, Bench
from provisioner.selftest.checks.routes import NUMBER, expect_values, only_job
from provisioner.selftest.model import CheckFailed

BEGUN: Final = ENDED | {BatchState.RUNNING}
NAPS: Final = 5
REFUSED: Final = 1
"""Exit code of a manager whose id is in use."""


def takeover(bench: Bench) -> str:
    """Kill -9 the manager while a job runs: its successor gives the result of that very job."""
    tasks, nap_s = _running_nap(bench)
    bench.kill_engine()
    expect_values(bench.client.collect(tasks, nap_s + bench.patience.job_s), ["napped"])
    return f"killed while job {only_job(bench)['jobId']} ran; its successor gave the result, no other job was made"


def _running_nap(bench: Bench) -> tuple[str, float]:
    """A task that was seen to run, and the seconds that it takes: longer ones where it is seen too late.

    Raises `CheckFailed`.
    """
    nap_s = bench.patience.nap_s
    for _ in range(NAPS):
        tasks = bench.client.submit("nap", [[nap_s]])
        begun = bench.wait_for("a job that runs", lambda: _of_states(bench, BEGUN), bench.patience.start_s)
        if any(job["status"] == BatchState.RUNNING for job in begun):
            return tasks, nap_s
        expect_values(bench.client.collect(tasks, bench.patience.job_s), ["napped"])
        bench.begin_check()
        nap_s *= 2
    raise CheckFailed(
        f"{NAPS} jobs had ended when they were first seen, the last one after a nap of {nap_s / 2:.0f} s."
    )


def ambiguous_submit(bench: Bench) -> str:
    """Drop the answer of SubmitJob: the job is found again by its name, and nothing is submitted twice."""
    mark = bench.new_file("answer-dropped")
    bench.replace_engine("--drop-answer", str(mark))
    expect_values(bench.run("square", [[NUMBER]]), [NUMBER**2])
    if not mark.exists():
        raise CheckFailed("No answer of SubmitJob came that could be dropped.")
    return f"the answer was dropped, job {only_job(bench)['jobId']} found by its name, no other made"


def lease(bench: Bench) -> str:
    """Start a second manager of the same id: it is refused, and the first goes on."""
    expect_values(bench.run("square", [[NUMBER]]), [NUMBER**2])
    holder = _holder(bench)
    second = bench.another_engine()
    try:
        bench.wait_for("the end of the second manager", lambda: not second.lives, bench.patience.job_s)
    finally:
        second.stop()
    if second.exit_code != REFUSED:
        raise CheckFailed(f"The second manager ended with {second.exit_code}: {second.said}")
    if _holder(bench) != holder:
        raise CheckFailed("The lease belongs to the second manager now.")
    expect_values(bench.run("square", [[NUMBER]]), [NUMBER**2])
    return f"the second manager ended with {REFUSED}, the first one works on"


def _holder(bench: Bench) -> Any:
    answer = bench.clients.call("s3", "get_object", {"Bucket": bench.target.bucket, "Key": bench.key(LEASE)})
    return json.loads(answer["Body"].read())["token"]


def _of_states(bench: Bench, states: frozenset[BatchState]) -> list[Document]:
    return [job for job in bench.new_jobs() if job["status"] in states]
