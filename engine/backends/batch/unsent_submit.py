"""Unsent SubmitJob: until it is on its way, tasks can still be taken out of its submission."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from engine.aws.errors import ErrorAction, classify_error


class StaleSubmit(Exception):
    """Nothing was sent: a task was taken out of the submission after it had been packed."""


class UnsentSubmit:
    """Decides between a cancel on the event loop and the thread that sends: whichever comes first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_on_its_way = False
        self._is_stale = False
        self._is_held_back = False

    @property
    def is_held_back(self) -> bool:
        """AWS took no SubmitJob at its last try, and certainly did nothing: it waits to be sent again."""
        return self._is_held_back

    def begin(self) -> None:
        """Note that it is packed now, of the tasks that are not cancelled."""
        with self._lock:
            self._is_stale = False

    def withdraw(self) -> bool:
        """Take a task out. False: the request is with AWS, or may be."""
        with self._lock:
            self._is_stale = self._is_stale or not self._is_on_its_way
            return not self._is_on_its_way

    def send(self, call: Callable[[], Any]) -> Any:
        """Make the call, in a thread. Raises what it raises, and `StaleSubmit` without having made it."""
        with self._lock:
            if self._is_stale:
                raise StaleSubmit
            self._is_on_its_way = True
        try:
            return call()
        except (BotoCoreError, ClientError) as error:
            action = classify_error("SubmitJob", error, repeatable=False).action
            self._is_held_back = action is not ErrorAction.AMBIGUOUS
            self._is_on_its_way = not self._is_held_back
            raise
