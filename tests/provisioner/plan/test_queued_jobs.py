"""Jobs of a queue, asked for while AWS deletes it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from engine.aws.batch_states import BatchState
from provisioner.clients import Document
from provisioner.errors import CallFailed
from provisioner.plan.queued_jobs import living_jobs
from provisioner.plan.remote import RemoteState
from provisioner.resources.job_queue import count_living
from tests.support.recorded_answers import STACK, RecordedClients


class Refused(RecordedClients):
    """ListJobs is refused, as of a queue that was there when it was looked for; `status` of the queue by then."""

    def __init__(self, status: str) -> None:
        super().__init__()
        self._status = status

    def listing(self, service: str, operation: str, key: str, parameters: Mapping[str, object]) -> list[Document]:
        if operation == "list_jobs":
            raise CallFailed("batch:ListJobs", "ClientException", f"JobQueue {parameters['jobQueue']} not found")
        entries = super().listing(service, operation, key, parameters)
        return [{**one, "status": self._status} for one in entries] if self._status else []


@pytest.mark.parametrize("status", ["", "DELETED"])
def test_a_queue_that_is_gone_when_its_jobs_are_asked_for_has_none(status: str) -> None:
    clients = Refused(status)
    assert (living_jobs(clients, STACK.job_queue), count_living(RemoteState(clients), STACK.job_queue)) == ([], 0)


def test_a_refusal_to_list_the_jobs_of_a_queue_that_is_there_is_told() -> None:
    with pytest.raises(CallFailed):
        RemoteState(Refused("VALID")).jobs(STACK.job_queue, BatchState.RUNNING)
