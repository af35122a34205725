"""Deadlines of running jobs, one each: its timeout, then the moment of the SIGKILL. Swept while there are any.

A timer each would outlive its job by up to the timeout, and there are many jobs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from provisioner.local.batch.clock import Clock

SWEEP_S: Final = 0.5


class Deadlines:
    """`scale` multiplies AWS's seconds. Actions run under `lock`."""

    def __init__(self, clock: Clock, lock: threading.RLock, scale: float) -> None:
        self._clock = clock
        self._lock = lock
        self._scale = scale
        self._due: dict[str, tuple[float, Callable[[], None]]] = {}
        self._sweeping = False

    def set(self, key: str, seconds: float, action: Callable[[], None]) -> None:
        """Run `action` in so many of AWS's seconds, instead of what was set for this key."""
        self._due[key] = (self._clock.now_ms() + seconds * self._scale * 1000, action)
        if not self._sweeping:
            self._sweeping = True
            self._again()

    def clear(self, key: str) -> None:
        """Forget the key's deadline, if it has one."""
        self._due.pop(key, None)

    def _again(self) -> None:
        self._clock.after(max(0.02, SWEEP_S * self._scale), self._sweep)

    def _sweep(self) -> None:
        with self._lock:
            now = self._clock.now_ms()
            for key, (when, action) in list(self._due.items()):
                if when <= now:
                    del self._due[key]
                    action()
            self._sweeping = bool(self._due)
        if self._sweeping:
            self._again()
