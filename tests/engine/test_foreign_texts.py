"""Whatever text comes from AWS or a job: every log line, failure and fact for viewers of it is one short line."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from engine.model import Outcome
from engine.tasks.task_manager import AWSHPCTaskManager
from tests.support.engine.aws_answers import refused
from tests.support.engine.hostile_texts import HOSTILE, faults_of
from tests.support.schedules.batch_model import Batch
from tests.support.schedules.session_model import ModelSession
from tests.support.schedules.story import run_story

OPERATIONS = (
    *("submit_job", "terminate_job", "describe_jobs", "list_jobs"),
    *("put_object", "get_object", "delete_objects", "ListObjectsV2"),
)
REFUSALS = (("ClientException", 400), ("AccessDenied", 403), ("ExpiredToken", 403), (HOSTILE, 500), (HOSTILE, 404))
SEED_WITH_A_KILL = 30
"""Its takeover, cancels and failures pass all that the engine says of AWS."""


class Told(logging.Handler):
    """All that an engine tells of its tasks, from the log to the failures of tasks."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.texts: list[str] = []
        monkeypatch.setattr(logging, "disable", lambda level: None)
        for name, read in (
            ("on_outcome", _of_outcome),
            ("on_observation", lambda task_id, seen: [seen.reason, seen.log_stream]),
            ("on_paused", lambda reason: [reason]),
            ("on_lost_ownership", lambda reason: [reason]),
        ):
            self._listen(monkeypatch, name, read)

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())

    def _listen(self, monkeypatch: pytest.MonkeyPatch, name: str, read: Callable[..., list[str]]) -> None:
        inner = getattr(AWSHPCTaskManager, name)

        def listening(tasks: AWSHPCTaskManager, *arguments: Any) -> Any:
            self.texts += read(*arguments)
            return inner(tasks, *arguments)

        monkeypatch.setattr(AWSHPCTaskManager, name, listening)


def _of_outcome(outcome: Outcome) -> list[str]:
    lines = [] if outcome.succeeded or not outcome.reason else str(pickle.loads(outcome.body)).splitlines()
    return [outcome.reason, *lines]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Any:
    handler, root = Told(monkeypatch), logging.getLogger("engine")
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.removeHandler(handler)
    root.setLevel(before)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(("code", "status"), REFUSALS, ids=("400", "403", "expired", "500", "404"))
def test_a_refusal_is_told_in_one_short_line(
    operation: str, code: str, status: int, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner, api = ModelSession.call, "".join(part.capitalize() for part in operation.split("_"))
    left = [6]

    def refusing(session: ModelSession, called: str, work: Callable[[], Any]) -> Any:
        if called == operation and session._loop.time() > 2 and left[0]:
            left[0] -= 1
            raise refused(code, HOSTILE, status=status, operation=api)
        return inner(session, called, work)

    monkeypatch.setattr(ModelSession, "call", refusing)
    run_story(SEED_WITH_A_KILL)
    assert left[0] < 6
    assert faults_of(told.texts) == []


def test_a_jobs_document_is_told_in_short_lines(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = Batch._document

    def hostile(batch: Batch, *arguments: Any) -> dict[str, Any]:
        document = inner(batch, *arguments)
        reason = HOSTILE if document.get("statusReason", HOSTILE).startswith("Essential") else HOSTILE[:400]
        container = {**document["container"], "logStreamName": HOSTILE}
        if document["status"] == "FAILED":
            container["reason"] = HOSTILE
        return {**document, "jobDefinition": HOSTILE, "statusReason": reason, "container": container}

    monkeypatch.setattr(Batch, "_document", hostile)
    for seed in range(4):
        run_story(seed)
    assert faults_of(told.texts) == []


def test_a_job_of_ours_that_is_none_is_told_in_short_lines(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = Batch._document

    def hostile(batch: Batch, *arguments: Any) -> dict[str, Any]:
        document = inner(batch, *arguments)
        if batch._rng.random() < 0.3:
            document["parameters"] = {**document["parameters"], "payload": HOSTILE, "submission": HOSTILE}
        if batch._rng.random() < 0.1:
            document[batch._rng.choice(("jobId", "status"))] = HOSTILE
        return document

    monkeypatch.setattr(Batch, "_document", hostile)
    for seed in range(SEED_WITH_A_KILL, SEED_WITH_A_KILL + 4):
        run_story(seed)
    assert faults_of(told.texts) == []
