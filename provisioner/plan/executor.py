"""Executor of plans, and `provision`: the whole way from a spec to a stack, for other programs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from provisioner.clients import Clients, Document
from provisioner.errors import CallFailed, ProvisionError, StepFailed
from provisioner.kinds import PlanAction, StepState
from provisioner.plan.bucket_emptying import empty_bucket
from provisioner.plan.model import (
    ApiCall,
    Change,
    EmptyBucket,
    Instruction,
    Plan,
    StackOutput,
    TerminateJobs,
    Variable,
    WaitUntil,
)
from provisioner.plan.planner import plan_provision, stack_of
from provisioner.plan.queued_jobs import terminate_jobs
from provisioner.plan.refusals import LONGEST_PATIENCE_S, patience_for, says_exists
from provisioner.plan.remote import RemoteState
from provisioner.plan.waiting import WaitPolicy
from provisioner.stack.saved_state import Provisioned
from provisioner.stack.spec import ProvisionSpec

WAIT_DEADLINE_S: Final = 900.0
"""Limit of one wait; AWS ends a queue's jobs (16 a second) within it for up to some ten thousand of them."""

RECREATE_PAUSE_S: Final = 15.0
"""Pause before a resource is made again that was made before IAM's change had propagated: the second try must do."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of a change: it begins its next step (`text`), ends or fails (`text` is why)."""

    change: Change
    state: StepState
    text: str = ""


Report = Callable[[Progress], None]


def ignore_progress(progress: Progress) -> None:
    """Report that does nothing."""


def provision(spec: ProvisionSpec, clients: Clients, report: Report = ignore_progress) -> Provisioned:
    """Create everything that the spec asks for and isn't there yet; run again, it changes nothing.

    Raises `ProvisionError`, `ConfigError`.
    """
    stack = stack_of(spec.region, spec.prefix, clients)

    def planned() -> Plan:
        return plan_provision(spec, stack, RemoteState(clients))

    PlanExecutor(clients, report).run(planned(), planned)
    return Provisioned.of(spec, stack)


class PlanExecutor:
    """Runner of a plan's instructions in their order, up to the first failure. `report` is called before each step."""

    def __init__(self, clients: Clients, report: Report, wait_policy: WaitPolicy | None = None) -> None:
        self._clients = clients
        self._report = report
        self._wait_policy = wait_policy or WaitPolicy()
        self._variables: dict[str, object] = {}

    def run(self, plan: Plan, replan: Callable[[], Plan] | None = None) -> None:
        """Apply every change of a plan. Raises `StepFailed`, which names the step.

        With `replan`, a step that may have been done although AWS refused it is no failure, nor what another run has
        made meanwhile: what is then still to be done is a new plan. One that fails twice is.
        """
        failed = ""
        while True:
            try:
                return self._run(plan)
            except StepFailed as error:
                if replan is None or not error.may_be_done or error.summary == failed:
                    raise
                failed = error.summary
                plan = replan()

    def _run(self, plan: Plan) -> None:
        for change in plan.changes:
            if change.action is not PlanAction.KEEP:
                self.apply(change)

    def apply(self, change: Change) -> None:
        """Do the steps of one change. Raises `StepFailed`."""
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
                self._empty(instruction)
            case TerminateJobs():
                terminate_jobs(self._clients, instruction.queue, self._wait_policy, WAIT_DEADLINE_S)

    def _call(self, call: ApiCall) -> None:
        since, may_be_done = self._wait_policy.clock(), False
        for _ in self._wait_policy.until(LONGEST_PATIENCE_S):
            try:
                response = self._clients.call(call.service, call.operation, _filled(call.parameters, self._variables))
            except CallFailed as error:
                # Whichever of its sendings did it, a later one is refused because it is done.
                error.repeated = may_be_done = may_be_done or error.repeated or says_exists(call, error)
                if self._wait_policy.clock() - since >= patience_for(call, error):
                    raise
                refusal = error
                continue
            if call.output is not None:
                self._variables[call.output.name] = _output_value(response, call.output)
            return
        raise refusal

    def _empty(self, emptying: EmptyBucket) -> None:
        """Empty a bucket, from where it stands again while a refusal lasts that passes."""
        since, deleting = self._wait_policy.clock(), ApiCall(emptying.summary, "s3", "delete_objects", {})
        for _ in self._wait_policy.until(LONGEST_PATIENCE_S):
            try:
                return empty_bucket(self._clients, emptying.bucket, emptying.owner)
            except CallFailed as error:
                if self._wait_policy.clock() - since >= patience_for(deleting, error):
                    raise
                refusal = error
        raise refusal

    def _wait(self, wait: WaitUntil) -> None:
        recreate = wait.recreate
        deadline = self._wait_policy.clock() + WAIT_DEADLINE_S
        for _ in self._wait_policy.until(max(WAIT_DEADLINE_S, wait.updating_s)):
            entry = self._entry(wait)
            if _is_reached(wait, entry):
                return
            invalid = entry is not None and entry["status"] == "INVALID" and bool(wait.statuses)
            if invalid and self._remake(wait, entry, recreate):
                recreate = ()
            updating = entry is not None and entry["status"] == "UPDATING"
            if not updating and self._wait_policy.clock() >= deadline:
                break
        raise ProvisionError(f"it took longer than {WAIT_DEADLINE_S:.0f} s.")

    def _remake(self, wait: WaitUntil, entry: Document | None, recreate: tuple[Instruction, ...]) -> bool:
        """Make anew what is INVALID, unless that was of before the change. Raises `ProvisionError` when it may not."""
        reason = str((entry or {}).get("statusReason", "AWS gives no reason"))
        if not recreate or not any(part in reason for part in wait.transient):
            raise ProvisionError(f"it is INVALID ({reason.rstrip('.')}).{wait.advice}")
        self._wait_policy.sleep(RECREATE_PAUSE_S)
        if not self._is_invalid(wait):
            return False
        for step in recreate:
            self._do(step)
        return True

    def _is_invalid(self, wait: WaitUntil) -> bool:
        entry = self._entry(wait)
        return entry is not None and entry["status"] == "INVALID"

    def _entry(self, wait: WaitUntil) -> Document | None:
        listed = self._clients.call(wait.service, wait.operation, wait.parameters)[wait.key]
        return next((entry for entry in listed if entry["status"] != "DELETED"), None)


def _is_reached(wait: WaitUntil, entry: Document | None) -> bool:
    """What was just made may not be listed yet."""
    return not wait.statuses if entry is None else entry["status"] in wait.statuses


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


def _output_value(response: Document, output: StackOutput) -> str:
    """As text, which is how AWS takes ids and versions back."""
    value: object = response
    for key in output.path:
        value = value[key] if isinstance(value, dict) else None
    return str(value)
