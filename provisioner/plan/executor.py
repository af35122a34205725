"""Runs plans, and the whole way through the pipeline that other programs use: `provision`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from engine.aws.error_codes import DENIED_CODES
from provisioner.clients import Clients, Document
from provisioner.errors import CallFailed, ProvisionError, StepFailed
from provisioner.plan.bucket_emptying import empty_bucket
from provisioner.plan.model import (
    ApiCall,
    Change,
    EmptyBucket,
    EndJobs,
    Instruction,
    Plan,
    PlanAction,
    StackOutput,
    Variable,
    WaitUntil,
)
from provisioner.plan.planner import plan_provision, stack_of
from provisioner.plan.queued_jobs import end_jobs
from provisioner.plan.remote import RemoteState
from provisioner.plan.waiting import WaitPolicy
from provisioner.stack.saved_state import Provisioned
from provisioner.stack.spec import ProvisionSpec

WAIT_DEADLINE_S: Final = 900.0
"""Longer than AWS takes to end a queue's jobs (16 a second) for up to some ten thousand of them."""

NEWS_PAUSE_S: Final = 15.0
"""Before something is made again that came too early for IAM's news: this once it shall be there."""

NEWS_DEADLINE_S: Final = 120.0
"""IAM's news is everywhere within seconds; network interfaces of instances are gone within two minutes."""


class StepState(StrEnum):
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Progress:
    """A change that begins, goes on to its next step (`text`), ends or fails (`text` is why)."""

    change: Change
    state: StepState
    text: str = ""


Report = Callable[[Progress], None]


def unheard(progress: Progress) -> None:
    """The report of whoever waits for the end alone."""


def provision(spec: ProvisionSpec, clients: Clients, report: Report = unheard) -> Provisioned:
    """Makes everything that the spec asks for and isn't there yet; run again, it changes nothing.

    Raises `ProvisionError`, `ConfigError`.
    """
    stack = stack_of(spec.region, spec.prefix, clients)

    def planned() -> Plan:
        return plan_provision(spec, stack, RemoteState(clients))

    PlanExecutor(clients, report).run(planned(), planned)
    return Provisioned.of(spec, stack)


class PlanExecutor:
    """Does what a plan says, in its order, and stops at the first failure. `report` hears of each step first."""

    def __init__(self, clients: Clients, report: Report, pacing: WaitPolicy | None = None) -> None:
        self._clients = clients
        self._report = report
        self._pacing = pacing or WaitPolicy()
        self._variables: dict[str, object] = {}

    def run(self, plan: Plan, look_again: Callable[[], Plan] | None = None) -> None:
        """Raises `StepFailed`, which names the step.

        With `look_again`, a step that may have been done although AWS refused it is no failure: what is then still to
        be done is a new plan. One that fails twice is.
        """
        failed = ""
        while True:
            try:
                return self._run(plan)
            except StepFailed as error:
                if look_again is None or not error.may_be_done or error.summary == failed:
                    raise
                failed = error.summary
                plan = look_again()

    def _run(self, plan: Plan) -> None:
        for change in plan.changes:
            if change.action is not PlanAction.KEEP:
                self.apply(change)

    def apply(self, change: Change) -> None:
        """Raises `StepFailed`."""
        for step in change.steps:
            self._report(Progress(change, StepState.RUNNING, step.summary))
            try:
                self._do(step)
            except ProvisionError as error:
                self._report(Progress(change, StepState.FAILED, str(error)))
                raise StepFailed(step.summary, error) from error
        self._report(Progress(change, StepState.DONE))

    def _do(self, instruction: Instruction) -> None:
        match instruction:
            case ApiCall():
                self._call(instruction)
            case WaitUntil():
                self._wait(instruction)
            case EmptyBucket():
                empty_bucket(self._clients, instruction.bucket)
            case EndJobs():
                end_jobs(self._clients, instruction.queue, self._pacing, WAIT_DEADLINE_S)

    def _call(self, call: ApiCall) -> None:
        for _ in self._pacing.until(NEWS_DEADLINE_S):
            try:
                response = self._clients.call(call.service, call.operation, _filled(call.parameters, self._variables))
            except CallFailed as error:
                if not _passes(error, call.passing):
                    raise
                refusal = error
                continue
            if call.output is not None:
                self._variables[call.output.name] = _found(response, call.output)
            return
        raise refusal

    def _wait(self, wait: WaitUntil) -> None:
        again = wait.again
        for _ in self._pacing.until(WAIT_DEADLINE_S):
            entry = self._entry(wait)
            if entry is None:
                if not wait.statuses:
                    return
                continue  # just made, it may not be listed yet
            if entry["status"] in wait.statuses:
                return
            if entry["status"] == "INVALID" and wait.statuses:
                reason = str(entry.get("statusReason", "AWS gives no reason"))
                if not again or not any(part in reason for part in wait.passing):
                    raise ProvisionError(f"it is INVALID ({reason.rstrip('.')}).")
                self._pacing.sleep(NEWS_PAUSE_S)
                for step in again:
                    self._do(step)
                again = ()
        raise ProvisionError(f"it took longer than {WAIT_DEADLINE_S:.0f} s.")

    def _entry(self, wait: WaitUntil) -> Document | None:
        listed = self._clients.call(wait.service, wait.operation, wait.parameters)[wait.key]
        return next((entry for entry in listed if entry["status"] != "DELETED"), None)


def _passes(error: CallFailed, passing: tuple[str, ...]) -> bool:
    """A permission that the caller lacks doesn't come by waiting."""
    if error.code in DENIED_CODES:
        return False
    text = f"{error.code}: {error}"
    return any(part in text for part in passing)


def _filled(value: object, variables: dict[str, object]) -> dict[str, object]:
    filled = _fill(value, variables)
    assert isinstance(filled, dict)
    return filled


def _fill(value: object, variables: dict[str, object]) -> object:
    if isinstance(value, Variable):
        return variables[value.name]
    if isinstance(value, dict):
        return {key: _fill(one, variables) for key, one in value.items()}
    if isinstance(value, list):
        return [_fill(one, variables) for one in value]
    return value


def _found(response: Document, output: StackOutput) -> str:
    """As text, which is how AWS takes ids and versions back."""
    value: object = response
    for key in output.path:
        value = value[key] if isinstance(value, dict) else None
    return str(value)
