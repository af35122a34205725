"""Checks of the stack as AWS has it: a plan that is empty, an instance whose role jobs can't take, times of a job."""

from __future__ import annotations

import time

from engine.aws.batch_states import BatchState
from provisioner.clients import Document
from provisioner.commands.common import claims_of
from provisioner.kinds import PlanAction
from provisioner.plan.planner import plan_provision
from provisioner.plan.remote import RemoteState
from provisioner.selftest.bench import Bench
from provisioner.selftest.checks.routes import NUMBER, expect_values
from provisioner.selftest.model import CheckFailed, CheckSkipped


def plan_is_empty(bench: Bench) -> str:
    """Plan the stack as it was provisioned, twice: nothing would change."""
    stack, saved = bench.target.stack, bench.target.saved
    if stack is None or saved is None:
        raise CheckSkipped("Not proven: no stack of ours is saved here, so nothing says what it should be.")
    for _ in range(2):
        claims = claims_of(stack, bench.config, adopt=False)
        plan = plan_provision(saved.spec, stack, RemoteState(bench.clients), claims)
        if plan:
            changes = [one for one in plan.changes if one.action is not PlanAction.KEEP]
            told = "; ".join(
                f"{one.action} {one.kind} {one.name} ({', '.join(field.path for field in one.fields)})"
                for one in changes
            )
            raise CheckFailed(f"A plan would change what was provisioned: {told}.")
    return f"{len(plan.changes)} resources are as they were asked for, twice"


def metadata_is_shut(bench: Bench) -> str:
    """Ask for the instance's role from a job: nothing answers, or any function could act as the instance."""
    [outcome] = bench.run("metadata_role", [[]])
    if outcome != {"value": ""}:
        raise CheckFailed(f"A job can take the instance's role: its metadata answers {outcome}.")
    return "the instance's metadata doesn't answer in a job"


def latencies(bench: Bench) -> str:
    """Follow one job from its submission to its result."""
    client, runnable = bench.client, [0.0]
    bench.await_engine()
    begun = time.time()
    tasks = client.submit("square", [[NUMBER]])
    job = bench.wait_for("a job that started", lambda: _started(bench, runnable), bench.patience.start_s)
    expect_values(bench.client.collect(tasks, bench.patience.job_s), [NUMBER**2])
    arrived = time.time()
    ended = bench.wait_for("the end of the job", lambda: _ended(bench, job["jobId"]), bench.patience.job_s)
    times = {
        "in Batch": job["createdAt"] / 1000 - begun,
        **({"RUNNABLE": runnable[0] - begun} if runnable[0] else {}),  # too short to be seen
        "RUNNING": ended["startedAt"] / 1000 - begun,
        "ended": ended["stoppedAt"] / 1000 - begun,
        "result": arrived - begun,
    }
    return "submit → " + " → ".join(f"{name} {seconds:.1f} s" for name, seconds in times.items())


def _started(bench: Bench, runnable: list[float]) -> Document | None:
    """The job once it started; in `runnable` the moment in which it was first seen so, which Batch doesn't keep."""
    jobs = bench.new_jobs()
    if not runnable[0] and any(job["status"] == BatchState.RUNNABLE for job in jobs):
        runnable[0] = time.time()
    return next((job for job in jobs if "startedAt" in job), None)


def _ended(bench: Bench, job_id: str) -> Document | None:
    return next((job for job in bench.described([job_id]) if "stoppedAt" in job), None)
