"""boto3's session, with the same clients for every command: making them anew would be half of a test's time."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import boto3


class SharedSession:
    """In the place of `boto3.Session`."""

    def __init__(self, session: boto3.Session) -> None:
        self._session = session
        self._clients: dict[str, Any] = {}

    def client(self, service: str, **words: Any) -> Any:
        if service not in self._clients:
            make: Any = self._session.client
            self._clients[service] = make(service, **words)
        return self._clients[service]

    def get_partition_for_region(self, region: str) -> str:
        return self._session.get_partition_for_region(region)

    def fork(self) -> int:
        """As `os.fork`; `wait` has to follow."""
        return os.fork()

    def wait(self, child: int) -> int:
        """The status with which the forked process ended."""
        return os.waitpid(child, 0)[1]

    def renew(self, event: str, handler: Callable[..., None]) -> None:
        """For a forked process: connections of its own, and `handler` is called at `event`."""
        self._clients.clear()
        self._session.events.register(event, handler)
