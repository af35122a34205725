"""A job definition that is gone is looked for again; submissions wait and say so."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from container.batch_job_wire.protocol import COMMAND
from engine.aws.calls.pauses import Pauses
from engine.aws.errors import AwsError, ErrorAction
from engine.backends.batch.submit.definition_renewal import LOOK_AGAIN_S, DefinitionRenewal, is_pinned, name_of
from engine.backends.batch.submit.request import JobTemplate
from tests.support.engine.fake_clock import FakeClock

ARN = "arn:aws:batch:us-east-1:1:job-definition/work"
GONE_TEXT = f"JobDefinition {ARN}:1 does not exist or is not in ACTIVE status"
GONE = AwsError("SubmitJob", ErrorAction.REFUSED, "ClientException", GONE_TEXT)


class Renewing:
    """A renewal that AWS answers with `revisions`, one answer a look, the last for ever."""

    def __init__(self, definition: str, *revisions: list[int]) -> None:
        self._answers = list(revisions)
        self.clock = FakeClock()
        self.told: list[str] = []
        self.pauses = Pauses(self.clock, self.told.append, lambda: self.told.append("resumed"))
        self.session = SimpleNamespace(region="us-east-1")
        self.template = JobTemplate("queue", definition, (), "s3://b/p", "", 60, {}, 0, None)
        parts: Any = self
        self.renewal = DefinitionRenewal(client=parts, template=self.template, sleep=self.clock.sleep)

    async def call(self, operation: object, **arguments: Any) -> Any:
        assert arguments["jobDefinitionName"] == "work"
        found = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return {"jobDefinitions": [_revision(number) for number in found]}


def _revision(number: int) -> dict[str, Any]:
    container = {"command": list(COMMAND)}
    return {"jobDefinitionArn": f"{ARN}:{number}", "revision": number, "containerProperties": container}


@pytest.mark.parametrize("given", ["work:1", f"{ARN}:1"])
async def test_a_pinned_revision_gives_way_to_the_newest_active_one(given: str) -> None:
    renewing = Renewing(given, [2, 10, 3])
    await renewing.renewal.renew(given, GONE, lambda: False)
    assert (renewing.template.definition, renewing.template.command) == (f"{ARN}:10", tuple(COMMAND))
    assert ("ACTIVE status" in renewing.told[0], renewing.told[1:], renewing.clock.slept) == (True, ["resumed"], [])


async def test_while_there_is_no_active_revision_it_is_waited_for() -> None:
    renewing = Renewing("work:1", [], [], [2])
    await renewing.renewal.renew("work:1", GONE, lambda: False)
    assert (renewing.template.definition, renewing.clock.slept) == (f"{ARN}:2", [LOOK_AGAIN_S] * 2)
    assert renewing.told[-1] == "resumed"


async def test_a_name_without_a_revision_stays_and_is_tried_again_after_a_while() -> None:
    renewing = Renewing("work", [], [2])
    await renewing.renewal.renew("work", GONE, lambda: False)
    assert (renewing.template.definition, renewing.clock.slept) == ("work", [LOOK_AGAIN_S] * 2)


async def test_submissions_whose_tasks_are_all_cancelled_wait_no_more() -> None:
    renewing = Renewing("work:1", [])
    await renewing.renewal.renew("work:1", GONE, lambda: bool(renewing.clock.slept))
    assert (renewing.template.definition, renewing.told[-1]) == ("work:1", "resumed")


async def test_a_submission_that_was_refused_with_the_former_revision_goes_at_once() -> None:
    renewing = Renewing(f"{ARN}:2", [2])
    await renewing.renewal.renew(f"{ARN}:1", GONE, lambda: False)
    assert renewing.clock.slept == []


@pytest.mark.parametrize(
    ("detail", "is_missing"),
    [
        ("JobDefinition name work does not exist or is not in ACTIVE status", True),
        (f"JobDefinition {ARN}:1 not found.", True),
        (f"Job definition {ARN}:1 is INACTIVE", True),
        ("Cannot submit job: job queue q is not ENABLED.", False),
        ("Either schedulingPriority in job definition or schedulingPriorityOverride should be specified.", False),
    ],
)
def test_what_aws_says_of_a_definition_that_is_gone_is_known(detail: str, is_missing: bool) -> None:
    assert AwsError("SubmitJob", ErrorAction.REFUSED, "ClientException", detail).missing_definition is is_missing


@pytest.mark.parametrize(
    ("given", "name", "pinned"),
    [("work", "work", False), ("work:3", "work", True), (ARN, "work", False), (f"{ARN}:3", "work", True)],
)
def test_a_definition_is_given_by_name_or_arn(given: str, name: str, pinned: bool) -> None:
    assert (name_of(given), is_pinned(given)) == (name, pinned)
