"""Events of the made-up engine: a night with some of everything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from engine.telemetry.schema.messages import Event, EventKind, JobRow, JobState

_NIGHT: Final = (
    (86_000, EventKind.TAKEOVER, "412 tasks of a predecessor were adopted"),
    (85_990, EventKind.CLIENT, "Client|quant-07|b41f"),
    (3_700, EventKind.THROTTLED, "AWS throttles SubmitJob"),
    (3_640, EventKind.UNTHROTTLED, "AWS has not throttled SubmitJob for 30 s"),
    (2_400, EventKind.LINK_DOWN, "scheduler is down: nobody answers at tcp://10.0.0.4:8516"),
    (2_362, EventKind.LINK_UP, "scheduler is up again: tcp://10.0.0.4:8516"),
    (1_900, EventKind.PAUSED, "ExpiredTokenException: the credentials expired at 10:17:07"),
    (1_720, EventKind.RESUMED, "jobs can be submitted again"),
    (900, EventKind.CAPACITY, "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - no c6i.large in eu-west-1b"),
    (300, EventKind.CHANGED, "the key Yne@$w-v changes max_concurrent_jobs from 1000 to 2000"),
    (180, EventKind.FAILURE, "simulate_paths: ZeroDivisionError"),
    (60, EventKind.FAILURE, "simulate_paths: Host EC2 (instance i-0ab31c) terminated."),
    (12, EventKind.CANCELLED, "an operator on this machine ends a job"),
)


def demo_events(now: float, rows: Mapping[str, JobRow]) -> list[Event]:
    """Events up to `now`; those of failures are about a failed job. None of an engine without jobs."""
    if not rows:
        return []
    failed = next((task_id for task_id, row in rows.items() if row.state is JobState.FAILED), "")
    about = {EventKind.FAILURE: failed}
    return [
        Event(seq, now - ago, kind.value, text, "pricing-spot", about.get(kind, ""))
        for seq, (ago, kind, text) in enumerate(_NIGHT)
    ]
