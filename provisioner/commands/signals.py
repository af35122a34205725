"""Signals that end a command."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from provisioner.errors import ProvisionError


@contextmanager
def interruptible(resume_hint: str) -> Iterator[None]:
    """Context in which Ctrl-C and SIGTERM end programs, remove temporary logins, and leave as a `ProvisionError`.

    Its text ends with `resume_hint`. Main thread only.
    """

    def interrupt(_signum: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    except KeyboardInterrupt:
        raise ProvisionError(f"Interrupted: {resume_hint}") from None
    finally:
        signal.signal(signal.SIGTERM, before)
