"""State of the account, read once and cached for the time of one plan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from engine.aws.batch_states import BatchState
from provisioner.clients import Clients, Document
from provisioner.errors import CallFailed
from provisioner.plan.queued_jobs import jobs_in_state

Answer = TypeVar("Answer")


class RemoteState:
    """Read-through cache of an account. Nothing here changes anything; each reading raises `CallFailed`."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._cache: dict[str, object] = {}

    def get(self, service: str, operation: str, *, missing: str, **parameters: object) -> Document | None:
        """Response of a call by boto3's method name; None when AWS answers with the error code `missing`."""

        def read() -> Document | None:
            try:
                return self._clients.call(service, operation, parameters)
            except CallFailed as error:
                if error.code != missing:
                    raise
                return None

        return self._cached(f"{service}:{operation}:{parameters}", read)

    def list(self, service: str, operation: str, key: str, **parameters: object) -> list[Document]:
        """Entries under `key` of a paged call, over all its pages."""
        return self._cached(
            f"{service}:{operation}:{key}:{parameters}",
            lambda: self._clients.listing(service, operation, key, parameters),
        )

    def jobs(self, queue: str, state: BatchState) -> Sequence[Document]:
        """Summaries of a queue's jobs in this state; none of a queue that is gone meanwhile."""
        return self._cached(f"jobs:{queue}:{state}", lambda: jobs_in_state(self._clients, queue, state))

    def _cached(self, key: str, read: Callable[[], Answer]) -> Answer:
        if key not in self._cache:
            self._cache[key] = read()
        answer: Answer = self._cache[key]  # type: ignore[assignment]  # the key says which type it is
        return answer
