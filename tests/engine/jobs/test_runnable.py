"""Jobs in RUNNABLE are counted as `is_stuck` would count their rows, without looking at each."""

from __future__ import annotations

import random

from engine.jobs.runnable import RunnableJobs
from engine.telemetry.schema.messages import JobRow, JobState
from engine.telemetry.schema.query import STUCK_S, is_stuck


def test_the_count_is_that_of_the_rows_rule_whatever_happens() -> None:
    draw = random.Random(7)
    jobs, rows, now = RunnableJobs(), dict[bytes, JobRow](), 0.0
    for _ in range(2_000):
        now += draw.random() * 20
        task_id = bytes([draw.randrange(40)])
        step = draw.choice(("add", "remove", "explain", "calm"))
        reason = draw.choice(("", "CAPACITY"))
        if step == "add":
            jobs.add(task_id, now, reason)
            rows[task_id] = JobRow(task_id.hex(), "wm", JobState.RUNNABLE, now, now, reason=reason)
        elif step == "remove":
            jobs.remove(task_id)
            rows.pop(task_id, None)
        else:
            told = "WAIT" if step == "explain" else ""
            jobs.explain(task_id, told)
            if task_id in rows:
                rows[task_id] = JobRow(task_id.hex(), "wm", JobState.RUNNABLE, rows[task_id].since, 0.0, reason=told)
        assert jobs.stuck(now) == sum(is_stuck(row, now) for row in rows.values())
        assert jobs.oldest_at == min((row.since for row in rows.values()), default=None)
        assert jobs.is_explained == any(row.reason for row in rows.values())


def test_the_reason_is_that_of_the_one_that_waits_longest() -> None:
    jobs = RunnableJobs()
    jobs.add(b"1", 1.0, "")
    jobs.add(b"2", 2.0, "")
    jobs.explain(b"2", "later")
    assert jobs.reason == "later"
    jobs.explain(b"1", "first")
    assert jobs.reason == "first"
    assert jobs.stuck(1.0 + STUCK_S + 0.5) == 1 + 1
    assert jobs.reason == "first"
