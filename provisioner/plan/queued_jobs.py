"""Jobs of a queue that have not ended, and their termination.

AWS deletes a queue with jobs in it, too, but then nothing waits until they have ended.
"""

from __future__ import annotations

from typing import Final

from engine.aws.batch_states import LIVING, BatchState
from provisioner.clients import Clients, Document
from provisioner.errors import CallFailed, ProvisionError
from provisioner.plan.waiting import WaitPolicy

REASON: Final = "cleanup of the stack"


def jobs_in_state(clients: Clients, queue: str, state: BatchState) -> list[Document]:
    """Summaries of a queue's jobs; an array job is one. None of a queue that is gone meanwhile. Raises `CallFailed`."""
    try:
        return clients.listing("batch", "list_jobs", "jobSummaryList", {"jobQueue": queue, "jobStatus": state.value})
    except CallFailed:  # AWS has no code for this error alone
        queues = clients.listing("batch", "describe_job_queues", "jobQueues", {"jobQueues": [queue]})
        if any(entry["status"] != "DELETED" for entry in queues):
            raise
        return []


def living_jobs(clients: Clients, queue: str) -> list[Document]:
    """Summaries of the jobs that have not ended. Raises `CallFailed`."""
    return [job for state in LIVING for job in jobs_in_state(clients, queue, state)]


def terminate_jobs(clients: Clients, queue: str, wait_policy: WaitPolicy, seconds: float) -> None:
    """Terminate the queue's jobs and wait until none is left.

    Raises `ProvisionError` when that takes longer than `seconds`, `CallFailed`.
    """
    terminated: set[str] = set()
    left: list[Document] = []
    for _ in wait_policy.until(seconds):
        left = living_jobs(clients, queue)
        if not left:
            return
        for job_id in {str(job["jobId"]) for job in left} - terminated:
            clients.call("batch", "terminate_job", {"jobId": job_id, "reason": REASON})
            terminated.add(job_id)
    raise ProvisionError(f"{len(left)} jobs of {queue} did not end within {seconds:.0f} s.")
