"""How a command ends when it is told to from outside."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from provisioner.errors import ProvisionError


@contextmanager
def interruptible(what_now: str) -> Iterator[None]:
    """Ctrl-C and SIGTERM end programs, remove temporary logins and leave as a `ProvisionError` that says what now.

    Main thread only.
    """

    def interrupt(_signum: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    except KeyboardInterrupt:
        raise ProvisionError(f"Interrupted: {what_now}") from None
    finally:
        signal.signal(signal.SIGTERM, before)
