"""AWS's refusals that pass: each, with AWS's words, at each call that it can meet, is waited out in the first run."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping

import pytest

from provisioner.clients import Clients, Document
from provisioner.errors import CallFailed, StepFailed
from provisioner.kinds import PlanAction, ResourceKind
from provisioner.plan.catalog import known_resources
from provisioner.plan.executor import PlanExecutor
from provisioner.plan.model import ApiCall, Change, Plan
from provisioner.plan.planner import plan_provision
from provisioner.plan.refusals import PASSING, patience_for
from provisioner.plan.remote import RemoteState
from provisioner.plan.waiting import WaitPolicy
from tests.support.provisioner.account import REGION
from tests.support.recorded_answers import SPEC, STACK, RecordedClients

REFUSALS = {
    "s3": [
        ("NoSuchBucket", "The specified bucket does not exist"),
        (
            "OperationAborted",
            "A conflicting conditional operation is currently in progress against this resource. Please try again.",
        ),
    ],
    "batch": [
        ("ClientException", "Cannot delete, found existing JobQueue relationship"),
        ("ClientException", "Cannot update, resource is being modified."),
    ],
    "ec2": [
        ("InvalidGroup.NotFound", "The security group 'sg-0a1b2c3d' does not exist"),
        (
            "InvalidLaunchTemplateName.NotFoundException",
            "At least one of the launch templates specified in the request does not exist.",
        ),
        ("DependencyViolation", "resource sg-0a1b2c3d has a dependent object"),
    ],
    "iam": [("NoSuchEntity", "The role with name x cannot be found."), ("ConcurrentModification", "Try again.")],
    "logs": [
        ("ResourceNotFoundException", "The specified log group does not exist."),
        ("OperationAbortedException", "A conflicting operation is currently in progress against this resource."),
    ],
    "ecr": [("RepositoryNotFoundException", "The repository with name 'x' does not exist in the registry")],
}


def steps_of_provision() -> Iterator[ApiCall]:
    plan = plan_provision(SPEC, STACK, RemoteState(RecordedClients("nothing")))
    yield from (step for step in plan.instructions if isinstance(step, ApiCall))


def steps_of_cleanup() -> Iterator[ApiCall]:
    remote = RemoteState(RecordedClients())
    for resource in known_resources(STACK, remote):
        if found := resource.read(remote):
            yield from (step for step in resource.delete(found, remote) if isinstance(step, ApiCall))


def cases() -> Iterator[tuple[ApiCall, CallFailed]]:
    for call in itertools.chain(steps_of_provision(), steps_of_cleanup()):
        for code, message in REFUSALS.get(call.service, ()):
            error = CallFailed(f"{call.service}:{call.operation}", code, message)
            if any(one.operations and fits(one, call, code, message) for one in PASSING):
                yield call, error


def fits(one: object, call: ApiCall, code: str, message: str) -> bool:
    words, service = getattr(one, "words", ""), getattr(one, "service", "")
    starts: tuple[str, ...] = getattr(one, "operations", ())
    return service == call.service and call.operation.startswith(starts) and words in f"{code}: {message}"


class Refusing(Clients):
    """Refuses so many times, then answers."""

    def __init__(self, error: CallFailed, answers: Callable[[], bool]) -> None:
        super().__init__(REGION)
        self._error = error
        self._answers = answers

    def call(self, service: str, operation: str, parameters: Mapping[str, object]) -> Document:
        if self._answers():
            return {}
        raise self._error


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def policy(self) -> WaitPolicy:
        return WaitPolicy(clock=lambda: self.now, sleep=self.sleep, jitter=lambda low, high: high)


def run(call: ApiCall, clients: Clients, time: Time) -> None:
    bare = ApiCall(call.summary, call.service, call.operation, {}, transient=call.transient)
    change = Change(PlanAction.CREATE, ResourceKind.BUCKET, "b", steps=(bare,))
    PlanExecutor(clients, lambda progress: None, time.policy()).run(Plan((change,)))


@pytest.mark.parametrize(
    ("call", "error"), list(cases()), ids=lambda one: one.code if isinstance(one, CallFailed) else one.operation
)
def test_it_is_waited_out_for_most_of_its_time_and_no_longer(call: ApiCall, error: CallFailed) -> None:
    patience, time = patience_for(call, error), Time()
    run(call, Refusing(error, lambda: time.now >= 0.9 * patience), time)
    stubborn = Time()
    with pytest.raises(StepFailed):
        run(call, Refusing(error, lambda: False), stubborn)
    assert patience <= stubborn.now < patience + 10


@pytest.mark.parametrize("refusal", PASSING, ids=lambda one: f"{one.service}-{one.words}-{one.operations[0]}")
def test_no_row_of_the_table_is_without_a_call_that_it_meets(refusal: object) -> None:
    calls = [*steps_of_provision(), *steps_of_cleanup(), UPDATE]
    words = getattr(refusal, "words", "")
    assert any(fits(refusal, call, words, "") for call in calls)


UPDATE = ApiCall("change", "ec2", "modify_launch_template", {})


@pytest.mark.parametrize(
    ("service", "operation", "code"),
    [
        ("s3", "delete_bucket", "NoSuchBucket"),
        ("iam", "delete_role", "NoSuchEntity"),
        ("s3", "put_bucket_policy", "AccessDenied"),
        ("batch", "create_job_queue", "ClientException"),
    ],
)
def test_any_other_refusal_is_told_at_once(service: str, operation: str, code: str) -> None:
    call = ApiCall("x", service, operation, {}, transient=("AccessDenied",))
    assert patience_for(call, CallFailed(f"{service}:{operation}", code, "no")) == 0.0


@pytest.mark.parametrize(
    ("service", "code"),
    [
        ("ec2", "InvalidLaunchTemplateName.AlreadyExistsException"),
        ("ec2", "InvalidGroup.Duplicate"),
        ("s3", "BucketAlreadyOwnedByYou"),
        ("iam", "EntityAlreadyExists"),
        ("logs", "ResourceAlreadyExistsException"),
        ("ecr", "RepositoryAlreadyExistsException"),
        ("batch", "ClientException"),
    ],
)
def test_what_is_there_already_is_not_waited_for(service: str, code: str) -> None:
    error = CallFailed(f"{service}:x", code, "Object already exists")
    made = [call for call in steps_of_provision() if call.service == service]
    assert made
    assert {patience_for(call, error) for call in made} == {0.0}


def test_a_creation_that_is_refused_for_its_lost_first_sending_after_a_wait_counts_as_maybe_done() -> None:
    call, time = ApiCall("x", "s3", "create_bucket", {}), Time()
    refusals = iter(
        [
            CallFailed("s3:CreateBucket", "OperationAborted", "Try again", repeated=True),
            CallFailed("s3:CreateBucket", "BucketAlreadyOwnedByYou", "It is yours"),
        ]
    )

    class Each(Clients):
        def call(self, service: str, operation: str, parameters: Mapping[str, object]) -> Document:
            raise next(refusals)

    with pytest.raises(StepFailed) as failed:
        run(call, Each(REGION), time)
    assert failed.value.may_be_done
