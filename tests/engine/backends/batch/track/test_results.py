"""Results that are late, damaged, out of reach or written twice: the right value or a clear error, in bounded time."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import io
import json
import os
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import cloudpickle
import pytest
from scaler.utility.exceptions import ProcessorDiedError

from container.batch_job_wire.payload_forms import from_inline
from container.batch_job_wire.payload_frames import submission_secret
from container.batch_job_wire.result_frames import decode_result, encode_result
from container.batch_job_wire.results import ResultMeta, ResultStatus
from engine.aws.client import AwsClient
from engine.aws.object_store import ObjectStore
from engine.aws.session import AwsSession
from engine.backends.batch.ledger import BatchStage, Ledger, Submission
from engine.backends.batch.names import StoreLayout
from engine.backends.batch.outcome_delivery import OutcomeDelivery
from engine.backends.batch.submission_secrets import SubmissionSecrets
from engine.backends.batch.track.results import ResultReader, ResultRequest
from engine.model import TaskWork
from provisioner.local.aws import LocalAWS
from tests.support.engine.batch_harness import (
    BUCKET,
    Recorder,
    config,
    eventually,
    manager_calls,
    objects,
    running,
    work,
    works,
)
from tests.support.engine.fake_clock import FakeClock

SECRETS = SubmissionSecrets(bytes(32))


def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def count_run(path: str) -> str:
    """Leaves one line a call: what counts how often it really ran."""
    with Path(path).open("a") as file:
        file.write("ran\n")
    return "done"


def runs(folder: Path) -> list[int]:
    return [len(path.read_text().splitlines()) for path in sorted(folder.iterdir())]


@pytest.mark.long
@pytest.mark.parametrize("count", [1, 3])
async def test_a_result_that_never_appears_is_an_error_in_bounded_time(aws: LocalAWS, count: int) -> None:
    aws.fault(f"drop-result:1:x{count}")
    async with running(aws) as (backend, told):
        tasks = works(nap, [0.0] * count)
        for task in tasks:
            backend.submit(task)
        for task in tasks:
            with pytest.raises(RuntimeError, match="no result appeared in S3"):
                await told.value(task, 40)


def refuse(text: str) -> None:
    raise ValueError(text)


@pytest.mark.parametrize(("show", "words"), [(False, "ValueError"), (True, "ValueError: no price of \\x1bDE0001")])
async def test_what_a_function_raised_is_told_with_its_place_and_where_asked_its_message(
    aws: LocalAWS, show: bool, words: str
) -> None:
    async with running(aws, show_errors=show) as (backend, told):
        task = work(refuse, "no price of \x1bDE0001")
        backend.submit(task)
        with pytest.raises(ValueError, match="no price"):
            await told.value(task)
        outcome = told.outcomes[task.task_id]
        assert outcome.cause is not None
        assert (outcome.cause.describe(), outcome.attempt) == (words, 1)
        assert outcome.cause.place.endswith(" refuse")


async def test_the_exit_code_of_a_process_is_the_cause_of_its_end(aws: LocalAWS) -> None:
    async with running(aws) as (backend, told):
        task = work(os._exit, 7)
        backend.submit(task)
        with pytest.raises(ProcessorDiedError, match="exit code 7"):
            await told.value(task)
        outcome = told.outcomes[task.task_id]
        assert outcome.cause is not None
        assert outcome.cause.describe() == "exit code 7"


@pytest.mark.parametrize("fault", ["truncate-result:1", "corrupt-result:1"])
async def test_a_damaged_result_is_an_error_and_never_a_wrong_value(aws: LocalAWS, fault: str) -> None:
    aws.fault(fault)
    async with running(aws) as (backend, told):
        task = work(nap, 0)
        backend.submit(task)
        with pytest.raises(RuntimeError, match="result can't be used"):
            await told.value(task)


async def test_a_late_result_counts(aws: LocalAWS) -> None:
    aws.fault("late-result:1:3s")
    async with running(aws) as (backend, told):
        tasks = works(nap, [0.0] * 3)
        for task in tasks:
            backend.submit(task)
        assert [await told.value(task) for task in tasks] == [0.0] * 3


async def test_a_result_that_may_not_be_read_for_a_moment_counts(aws: LocalAWS) -> None:
    aws.fault("error:GetObject:403:x2:match=*/results/*")
    async with running(aws) as (backend, told):
        task = work(nap, 0)
        backend.submit(task)
        assert await told.value(task) == 0


async def test_a_result_that_may_never_be_read_is_an_error_in_bounded_time(aws: LocalAWS) -> None:
    aws.fault("error:GetObject:403:match=*/results/*")
    async with running(aws) as (backend, told):
        task = work(nap, 0)
        backend.submit(task)
        with pytest.raises(RuntimeError, match=r"result can't be used: .*AccessDenied"):
            await told.value(task)
        assert manager_calls(aws)["s3.GetObject"] < 10


async def test_jobs_that_are_told_403_instead_of_404_run_once(aws: LocalAWS, tmp_path: Path) -> None:
    aws.fault("error:GetObject:403:match=*/fence/*")
    async with running(aws) as (backend, told):
        tasks = works(count_run, [str(tmp_path / str(number)) for number in range(3)])
        for task in tasks:
            backend.submit(task)
        assert [await told.value(task) for task in tasks] == ["done"] * 3
        assert runs(tmp_path) == [1] * 3


async def test_an_attempt_after_the_result_was_written_calls_nothing(aws: LocalAWS, tmp_path: Path) -> None:
    aws.fault("ambiguous:PutObject:match=*/results/*")  # written, but the runner does not learn it and goes on trying
    before = aws.jobs()["attempts"]
    async with running(aws) as (backend, told):
        task = work(count_run, str(tmp_path / "calls"))
        backend.submit(task)
        assert await told.value(task) == "done"
        await backend.forget([task.task_id])
        aws.fault("spot:1:x1")
        await eventually(lambda: len(objects(aws)) == 1)
        assert aws.jobs()["attempts"] == before + 2
        assert runs(tmp_path) == [1]
        assert told.twice == []


async def test_of_two_attempts_that_write_different_results_one_counts_and_nothing_stays(aws: LocalAWS) -> None:
    aws.fault("late-result:1:3s:x1")
    async with running(aws, worker_manager_id="wm-attempts") as (backend, told):
        task = work(nap, 0)
        backend.submit(task)
        await eventually(lambda: aws.faults()[0]["struck"] == 1)  # one attempt has written; the other does it now
        key = StoreLayout(BUCKET, config().s3_prefix, "wm-attempts").result(
            told.placements[0].submission_id, task.task_id
        )
        secret = secret_of(aws, told.placements[0].job_id)
        write_as_another_attempt(aws, key, task, secret)
        assert await told.value(task) == "the other attempt's"
        await eventually(lambda: value_in(aws, key, task, secret) == 0.0)
        await backend.forget([task.task_id])
        await eventually(lambda: len(objects(aws)) == 1)
        assert told.twice == []


def signed_frame(task: bytes, secret: bytes, /, **changes: object) -> bytes:
    """A result that a job of the submission may write, with right checksum and signature; `meta` is its whole text."""
    head = changes.get("meta") or json.dumps({**meta_of(task)._asdict(), **changes}).encode()
    assert isinstance(head, bytes)
    header = b"SBRF" + struct.pack("<HIQ32s", 2, len(head), 1, hashlib.sha256(head + b"x").digest())
    return header + hmac.digest(secret, task + header, "sha256") + head + b"x"


def meta_of(task: bytes) -> ResultMeta:
    return ResultMeta(task.hex(), ResultStatus.SUCCESS, "returning", 2, 0.0, 0.0, 0.0, 0, "3.11", 0, None, "test")


def secret_of(aws: LocalAWS, job_id: str) -> bytes:
    """What the job was given, as its own container knows it."""
    job = aws.client("batch").describe_jobs(jobs=[job_id])["jobs"][0]
    return submission_secret(from_inline(job["parameters"]["payload"]))


@pytest.mark.parametrize(
    "changes",
    [
        {"meta": b"[" * 60_000},
        {"task_id": "0" * 32},
        {"duration_s": "x"},
        {"duration_s": 1e300},
        {"peak_bytes": -1},
        {"cpu_s": float("nan")},
    ],
    ids=["nested", "of another task", "text", "no 32-bit float", "negative", "not a number"],
)
async def test_an_odd_result_is_the_failure_of_its_task_alone(aws: LocalAWS, changes: dict[str, object]) -> None:
    async with running(aws, worker_manager_id="wm-odd-results") as (backend, told):
        odd, other = works(nap, [30.0, 0.5])
        for task in (odd, other):
            backend.submit(task)
        await told.until(lambda told: bool(told.placements))
        placed = told.placements[0]
        key = StoreLayout(BUCKET, config().s3_prefix, "wm-odd-results").result(placed.submission_id, odd.task_id)
        frame = signed_frame(odd.task_id, secret_of(aws, placed.job_id), **changes)
        aws.client("s3").put_object(Bucket=BUCKET, Key=key, Body=frame)
        with pytest.raises(RuntimeError, match="result can't be used"):
            await told.value(odd)
        assert await told.value(other) == 0.5
        assert told.lost == []


def wait_for(path: str) -> str:
    while not Path(path).exists():
        time.sleep(0.02)
    return "its own"


def put(key: str, body: bytes) -> str:
    """What any function may do with the job's role."""
    import boto3

    boto3.client("s3", region_name="us-east-1").put_object(Bucket=BUCKET, Key=key, Body=body)
    return "put"


FORGERIES: dict[str, Callable[[bytes, bytes], bytes]] = {
    "signed with another secret": lambda task, _: bytes(
        encode_result(meta_of(task), cloudpickle.dumps("forged"), bytes(32))
    ),
    "signed for another task of the submission": lambda _, secret: signed_frame(b"another task...", secret),
    "unsigned": lambda task, _: bytes(encode_result(meta_of(task), cloudpickle.dumps("forged"))),
    "no frame": lambda _task, _secret: b"x" * 1_000,
}


@pytest.mark.parametrize("kind", FORGERIES)
async def test_what_another_job_writes_at_a_tasks_result_is_passed_over_and_its_own_result_counts(
    aws: LocalAWS, tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    manager_id = f"wm-{kind.replace(' ', '-')}"  # jobs of another test may still write what they had begun
    async with running(aws, worker_manager_id=manager_id) as (backend, told):
        victim = work(wait_for, str(tmp_path / "go"))
        backend.submit(victim)
        await told.until(lambda told: bool(told.placements))
        layout = StoreLayout(BUCKET, config().s3_prefix, manager_id)
        key = layout.result(told.placements[0].submission_id, victim.task_id)
        forger = work(put, key, FORGERIES[kind](victim.task_id, secret_of(aws, told.placements[0].job_id)))
        backend.submit(forger)
        assert await told.value(forger) == "put"
        await eventually(lambda: victim.task_id in told.outcomes or "is passed over" in caplog.text)
        assert victim.task_id not in told.outcomes
        (tmp_path / "go").touch()
        assert await told.value(victim) == "its own"
        await backend.forget([victim.task_id, forger.task_id])
        await eventually(lambda: [key for key in objects(aws) if f"/{manager_id}/" in key] == [f"{layout.root}/lease"])


async def test_a_job_that_ends_with_a_forged_result_in_its_place_fails_with_what_lies_there(
    aws: LocalAWS, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(aws, worker_manager_id="wm-forged-end") as (backend, told):
        victim = work(wait_for, str(tmp_path / "never"))
        backend.submit(victim)
        await told.until(lambda told: bool(told.placements))
        placed = told.placements[0]
        layout = StoreLayout(BUCKET, config().s3_prefix, "wm-forged-end")
        key = layout.result(placed.submission_id, victim.task_id)
        aws.client("s3").put_object(Bucket=BUCKET, Key=key, Body=FORGERIES["unsigned"](victim.task_id, b""))
        await eventually(lambda: "is passed over" in caplog.text)
        aws.client("batch").terminate_job(jobId=placed.job_id, reason="by hand")
        with pytest.raises(RuntimeError, match=r"by hand(.|\n)*without the signature of the task's own job"):
            await told.value(victim)
        await backend.forget([victim.task_id])
        await eventually(lambda: [one for one in objects(aws) if "/wm-forged-end/" in one] == [layout.lease])


async def test_keys_that_no_manager_writes_are_ignored_by_this_and_every_later_start(aws: LocalAWS) -> None:
    for manager in ("wm-odd-keys", "wm-odd-keys"):
        async with running(aws, worker_manager_id=manager) as (backend, told):
            layout = StoreLayout(BUCKET, config().s3_prefix, manager)
            for name in ("\x01", "\x1b[31m"):
                aws.client("s3").put_object(Bucket=BUCKET, Key=f"{layout.results}{'f' * 32}/{name}", Body=b"x")
            task = work(nap, 0)
            backend.submit(task)
            assert await told.value(task) == 0
            assert told.lost == []


class BrokenStore:
    """Stands for whatever nobody thought of."""

    def __init__(self) -> None:
        self.reads = 0
        self.task_id = b""

    def read(self, _key: str, _parse: Callable[[Callable[[int], bytes]], object]) -> object:
        self.reads += 1
        raise KeyError("a surprise")


async def read_alone(store: BrokenStore, told: Recorder, size: int = 100) -> tuple[bytes, list[asyncio.Task[None]]]:
    """Requests one result out of `store` and reads it; gives the task's id and what ran for it."""
    ledger = Ledger()
    task = ledger.add_task(work(nap, 0))
    store.task_id = task.task_id
    ledger.add_submission(Submission("f" * 32, "name", (task,), task.shape, job_id="job", ended=True))
    task.move(BatchStage.IN_BATCH)
    task.move(BatchStage.FETCHING)
    spawned: list[asyncio.Task[None]] = []
    client = AwsClient(AwsSession("us-east-1", 1))
    reader = ResultReader(
        client=client,
        store=cast(ObjectStore, store),
        ledger=ledger,
        secrets=SECRETS,
        delivery=OutcomeDelivery(ownership=client.ownership, ledger=ledger, observer=told),
        canceller=cast(Any, None),
        retry=cast(Any, None),
        spawn=lambda work: spawned.append(asyncio.create_task(work)),
        sleep=FakeClock().sleep,
    )
    reader.request([ResultRequest(task, ledger.submissions["f" * 32], "key", size)])
    running = asyncio.create_task(reader.run())
    await told.until(lambda told: bool(told.outcomes), 5)
    running.cancel()
    await asyncio.wait(spawned)
    await client.close()
    return task.task_id, spawned


async def test_a_surprise_while_a_result_is_read_is_its_tasks_failure(caplog: pytest.LogCaptureFixture) -> None:
    told = Recorder()
    task_id, spawned = await read_alone(BrokenStore(), told)
    assert [one.exception() for one in spawned] == [None]
    assert "can't be used" in told.outcomes[task_id].reason
    assert task_id.hex() in caplog.text


async def test_a_result_larger_than_any_runner_writes_is_refused_unread() -> None:
    told, store = Recorder(), BrokenStore()
    task_id, _ = await read_alone(store, told, size=6_000_000_000)
    assert "6000000000 bytes in S3" in told.outcomes[task_id].reason
    assert store.reads == 0


class SignedFrame(BrokenStore):
    """Holds one frame, with these changes of its meta, under every key; its job signed it."""

    def __init__(self, changes: dict[str, object]) -> None:
        super().__init__()
        self.changes = changes

    def read(self, _key: str, parse: Callable[[Callable[[int], bytes]], object]) -> object:
        return parse(io.BytesIO(signed_frame(self.task_id, SECRETS.of("f" * 32), **self.changes)).read)


@pytest.mark.parametrize("name", ResultMeta._fields)
@pytest.mark.parametrize(
    "text",
    ["\x1b[2J\x1b]0;owned\x07", "x\n2026-01-01 CRITICAL engine: forged", "z" * 3_000_000],
    ids=["escapes", "lines", "3 MB"],
)
async def test_no_field_of_a_frame_forges_a_log_or_a_clients_error(
    caplog: pytest.LogCaptureFixture, name: str, text: str
) -> None:
    told = Recorder()
    task_id, _ = await read_alone(SignedFrame({name: text}), told)
    for shown in (told.outcomes[task_id].reason, *(record.getMessage() for record in caplog.records)):
        assert shown.isprintable()
        assert len(shown) < 500


def write_as_another_attempt(aws: LocalAWS, key: str, task: TaskWork, secret: bytes) -> None:
    """What an attempt does that the loss of its host did not really end."""
    frame = encode_result(meta_of(task.task_id), cloudpickle.dumps("the other attempt's"), secret)
    aws.client("s3").put_object(Bucket=BUCKET, Key=key, Body=frame)


def value_in(aws: LocalAWS, key: str, task: TaskWork, secret: bytes) -> object:
    body = aws.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()
    return cloudpickle.loads(decode_result(body, task.task_id, secret)[1])
