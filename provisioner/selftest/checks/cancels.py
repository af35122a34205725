"""Check of a cancel: one child of an array job ends, by the statement of the policy that is about children."""

from __future__ import annotations

from engine.aws.batch_states import BatchState
from provisioner.clients import Document
from provisioner.selftest.bench import Bench
from provisioner.selftest.checks.routes import ARRAY
from provisioner.selftest.model import CheckFailed


def cancel_of_child(bench: Bench) -> str:
    """Cancel one of several tasks that run as children: its child ends, the others go on."""
    tasks = bench.client.submit("nap", [[bench.patience.start_s]] * ARRAY)
    try:
        array = bench.wait_for("an array whose children run", lambda: _running(bench), bench.patience.start_s)
        if not bench.client.cancel(tasks, ARRAY - 1, bench.patience.job_s):
            raise CheckFailed("The cancel was not confirmed.")
        return bench.wait_for("one child ended, and one alone", lambda: _ended(bench, array), bench.patience.job_s)
    finally:
        for index in range(ARRAY - 1):
            bench.client.cancel(tasks, index, bench.patience.job_s)


def _running(bench: Bench) -> Document | None:
    """The array job, when all of the check's jobs run."""
    arrays = [job for job in bench.new_jobs() if "size" in job.get("arrayProperties", {})]
    running = [job for job in arrays if len(bench.children(job["jobId"], BatchState.RUNNING)) == _size(job)]
    return running[0] if running else None


def _ended(bench: Bench, array: Document) -> str:
    failed = bench.children(array["jobId"], BatchState.FAILED)
    going_on = bench.children(array["jobId"], BatchState.RUNNING)
    if len(failed) != 1 or len(going_on) != _size(array) - 1:
        return ""
    return f"child {failed[0]['jobId']} ended ({failed[0].get('statusReason', '')}), {len(going_on)} go on"


def _size(job: Document) -> int:
    return int(job["arrayProperties"]["size"])
