"""Answers for viewers about AWS Batch, on the local AWS: descriptions, logs, quotas, calls, health."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from engine.aws.batch_states import BatchState
from engine.backends.batch.introspect import introspection
from engine.backends.protocol import Introspection
from engine.model import LinkId, LogChunk, LogStatus, Price, Quota
from engine.telemetry.schema.light import LightState, light_of
from provisioner.local.aws import LocalAWS
from tests.support.engine.batch_harness import Recorder, manager_calls, running, work, works

SECRET = "the-argument-that-nobody-may-see"


def says_and_waits(text: str, path: str) -> str:
    print(text, flush=True)
    while not Path(path).exists():
        time.sleep(0.02)
    return text


def waits_if_even(given: tuple[int, str]) -> int:
    while given[0] % 2 == 0 and not Path(given[1]).exists():
        time.sleep(0.02)
    return given[0]


def stream_of(told: Recorder, task_id: bytes) -> str:
    return told.observations[task_id][-1].log_stream if told.observations.get(task_id) else ""


async def piece_with(text: str, introspection: Introspection, stream: str) -> LogChunk:
    """The beginning of a stream, as soon as the text is in it."""
    async with asyncio.timeout(20):
        while text not in said(chunk := await introspection.read_log(stream, None)):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        return chunk


def said(chunk: LogChunk) -> str:
    return "".join(event.text for event in chunk.events)


async def quota(introspection: Introspection, name: str) -> Quota:
    """As soon as it is known with its limit."""
    async with asyncio.timeout(20):
        while True:
            introspection.note_viewer()
            for one in introspection.quotas():
                if one.name == name:
                    return one
            await asyncio.sleep(0.05)


async def test_a_running_job_is_described_without_its_payload_and_its_log_followed(
    aws: LocalAWS, tmp_path: Path
) -> None:
    async with running(aws) as (backend, told):
        task, introspection = work(says_and_waits, SECRET, str(tmp_path / "go")), backend.introspection
        backend.submit(task)
        await told.until(lambda seen: bool(stream_of(seen, task.task_id)))
        stream, job_id = stream_of(told, task.task_id), told.placements[0].job_id
        described = await introspection.describe(task.task_id, job_id)
        assert (described.status, described.log_stream, described.attempts_allowed) == ("RUNNING", stream, 3)
        assert (described.vcpus, described.memory_mib, described.log_group) == (1, 1843, "/aws/batch/job")
        assert described.attempts[-1].started_at is not None
        assert "characters hidden" in described.text
        assert await introspection.log_streams([job_id]) == {job_id: stream}
        begin = await piece_with(SECRET, introspection, stream)
        (tmp_path / "go").touch()
        assert await told.value(task) == SECRET
        more = await introspection.read_log(stream, begin.token)
        assert more.status == "streaming"
        assert SECRET not in said(more)


def says_much(lines: int) -> int:
    for number in range(lines):
        print(f"line {number}")
    return lines


async def test_a_log_is_read_back_to_its_beginning_whatever_was_written_in_one_moment(aws: LocalAWS) -> None:
    async with running(aws) as (backend, told):
        task, lines = work(says_much, 12_000), list[str]()
        backend.submit(task)
        assert await told.value(task) == 12_000
        job_id = told.placements[0].job_id
        stream = (await backend.introspection.log_streams([job_id]))[job_id]
        newest = await backend.introspection.read_log(stream, None)
        assert newest.at_end
        before, token, pieces = newest.events[-1].at + 0.001, None, 0
        while pieces == 0 or token is not None:
            piece = await backend.introspection.read_older_log(stream, before, token, 3_000)
            lines, token, pieces = [event.text for event in piece.events] + lines, piece.older, pieces + 1
        assert [line for line in lines if line.startswith("line ")] == [f"line {n}" for n in range(12_000)]
        assert pieces > 3


async def test_quotas_are_told_with_use_and_source(aws: LocalAWS, tmp_path: Path) -> None:
    async with running(aws) as (backend, told):
        task = work(says_and_waits, "", str(tmp_path / "go"))
        backend.submit(task)
        await told.until(lambda seen: BatchState.RUNNING in seen.states.get(task.task_id, ()))
        ours = await quota(backend.introspection, "vCPU of our jobs")
        assert (ours.used, ours.limit, ours.unit) == (1.0, 2000.0, "vCPU")
        environment = await quota(backend.introspection, "vCPU backend-environment")
        assert (environment.limit, environment.source) == (2000, "AWS Batch")
        account = await quota(backend.introspection, "EC2 On-Demand standard")
        assert (account.limit, account.source) == (1152.0, "Service Quotas")
        submits = await quota(backend.introspection, "SubmitJob")
        assert (submits.used, submits.limit, submits.source) == (0.1, 50.0, "fixed by AWS")
        (tmp_path / "go").touch()
        await told.value(task)


async def test_hosts_are_watched_without_viewers_once_there_are_jobs(
    aws: LocalAWS, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(introspection, "WATCH_EVERY_S", 0.02)
    async with running(aws) as (backend, told):
        api = "batch.DescribeComputeEnvironments"
        before = manager_calls(aws)[api]
        task = work(says_and_waits, "", str(tmp_path / "go"))
        backend.submit(task)
        async with asyncio.timeout(20):
            while manager_calls(aws)[api] == before:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        found = backend.introspection.idle_hosts(Price())
        assert found is not None
        assert found.watched_s > 0
        (tmp_path / "go").touch()
        await told.value(task)


async def test_what_is_not_permitted_is_named_and_nothing_else_suffers(aws: LocalAWS, tmp_path: Path) -> None:
    for api in ("GetServiceQuota", "GetLogEvents"):
        aws.fault(f"error:{api}:403")
    async with running(aws) as (backend, told):
        task = work(says_and_waits, "", str(tmp_path / "go"))
        backend.submit(task)
        account = await quota(backend.introspection, "EC2 On-Demand standard")
        assert account.limit is None
        assert "grant servicequotas:GetServiceQuota" in account.note
        await told.until(lambda seen: bool(stream_of(seen, task.task_id)))
        chunk = await backend.introspection.read_log(stream_of(told, task.task_id), None)
        assert chunk.status is LogStatus.DENIED
        assert chunk.detail.startswith("grant logs:GetLogEvents to the worker manager's role for log group")
        aws.fault("error:DescribeJobs:403:x1")
        described = await backend.introspection.describe(task.task_id, told.placements[0].job_id)
        assert described.note.startswith("denied: grant batch:DescribeJobs")
        (tmp_path / "go").touch()
        await told.value(task)


async def test_a_stream_that_is_not_there_yet_is_waited_for_in_words(aws: LocalAWS) -> None:
    async with running(aws) as (backend, told):
        task = work(abs, -1)
        backend.submit(task)
        await told.value(task)
        chunk = await backend.introspection.read_log("none", None)
        assert (chunk.status, chunk.detail) == (LogStatus.WAITING, "the job's log stream does not exist yet")


async def test_a_job_that_batch_does_not_know_is_described_in_words(aws: LocalAWS) -> None:
    async with running(aws) as (backend, _):
        described = await backend.introspection.describe(b"0" * 16, "00000000-0000-0000-0000-000000000000")
        assert described.note.startswith("AWS Batch does not know the job")


async def test_viewers_share_one_call_and_a_description_is_kept_for_a_moment(aws: LocalAWS) -> None:
    async with running(aws) as (backend, _):
        before = manager_calls(aws).get("batch.DescribeJobs", 0)
        await asyncio.gather(*(backend.introspection.describe(b"0" * 16, "unknown") for _ in range(20)))
        assert manager_calls(aws)["batch.DescribeJobs"] == before + 1


async def test_a_job_without_capacity_tells_why_it_waits(aws: LocalAWS) -> None:
    aws.fault("no-capacity:1")
    async with running(aws) as (backend, told):
        single, pair = work(abs, -1), works(abs, [-2, -3])
        for task in (single, *pair):
            backend.submit(task)
        await told.until(
            lambda seen: any("CAPACITY:" in one.reason for seen_of in seen.observations.values() for one in seen_of)
        )
        aws.clear_faults()
        assert await told.value(single) == 1


async def test_children_of_a_mixed_array_are_listed_while_there_is_a_viewer(aws: LocalAWS, tmp_path: Path) -> None:
    async with running(aws) as (backend, told):
        tasks = works(waits_if_even, [(index, str(tmp_path / "go")) for index in range(6)])
        for task in tasks:
            backend.submit(task)
        even = {task.task_id for task in tasks[::2]}

        def the_right_ones_run(seen: Recorder) -> bool:
            backend.introspection.note_viewer()
            states = {task_id: heard[-1] for task_id, heard in seen.states.items() if task_id not in seen.outcomes}
            return states == dict.fromkeys(even, BatchState.RUNNING)

        await told.until(the_right_ones_run)
        assert told.placements[0].is_array
        (tmp_path / "go").touch()
        for task in tasks:
            await told.value(task)


async def test_aws_that_does_not_answer_is_a_link_that_is_down(aws: LocalAWS) -> None:
    async with running(aws) as (backend, _):
        assert light_of(backend.introspection.links()).state is LightState.OK
        aws.fault("ambiguous:DescribeJobs")
        described = await backend.introspection.describe(b"0" * 16, "unknown")
        assert described.note
        light = light_of(backend.introspection.links())
        assert (light.state, light.part) == (LightState.DOWN, LinkId.BATCH)
        assert "can't be reached" in light.cause
        assert backend.introspection.states_stale
