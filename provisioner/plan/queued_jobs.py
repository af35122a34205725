"""The end of a queue's jobs: AWS deletes a queue with jobs in it, too, but then nobody waits for them."""

from __future__ import annotations

from typing import Final

from provisioner.clients import Clients, Document
from provisioner.errors import ProvisionError
from provisioner.plan.model import LIVING_STATES
from provisioner.plan.waiting import WaitPolicy

REASON: Final = "cleanup of the stack"


def living_jobs(clients: Clients, queue: str) -> list[Document]:
    """Summaries of what has not ended; an array job is one."""
    return [
        job
        for state in LIVING_STATES
        for job in clients.listing("batch", "list_jobs", "jobSummaryList", {"jobQueue": queue, "jobStatus": state})
    ]


def end_jobs(clients: Clients, queue: str, pacing: WaitPolicy, seconds: float) -> None:
    """Returns when none is left. Raises `ProvisionError` when that takes longer, `CallFailed`."""
    told: set[str] = set()
    left: list[Document] = []
    for _ in pacing.until(seconds):
        left = living_jobs(clients, queue)
        if not left:
            return
        for job_id in {str(job["jobId"]) for job in left} - told:
            clients.call("batch", "terminate_job", {"jobId": job_id, "reason": REASON})
            told.add(job_id)
    raise ProvisionError(f"{len(left)} jobs of {queue} did not end within {seconds:.0f} s.")
