"""Runs plans, and the whole way through the pipeline that other programs use: `provision`."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from provisioner.clients import Clients, Document
from provisioner.errors import ProvisionError, StepFailed
from provisioner.models import (
    ApiCall,
    EmptyBucket,
    Instruction,
    Output,
    Plan,
    Variable,
    WaitUntil,
)
from provisioner.output import Provisioned
from provisioner.planner import plan_provision, stack_of
from provisioner.remote import RemoteState
from provisioner.spec import ProvisionSpec

WAIT_DEADLINE_S = 900.0
"""Longer than AWS takes to end a queue's jobs (16 a second) for up to some ten thousand of them."""

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
KEYS_PER_DELETE = 1000
"""Of DeleteObjects and of a page of ListObjectVersions."""

Report = Callable[[Instruction], None]


@dataclass(frozen=True, slots=True)
class Pacing:
    """How waiting is done; injected so that tests don't wait."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[float, float], float] = random.uniform


def provision(spec: ProvisionSpec, clients: Clients, report: Report = lambda instruction: None) -> Provisioned:
    """Makes everything that the spec asks for and isn't there yet; run again, it changes nothing.

    Raises `ProvisionError`, `ConfigError`.
    """
    stack = stack_of(spec.region, spec.prefix, clients)
    Executor(clients, report).run(plan_provision(spec, stack, RemoteState(clients)))
    return Provisioned.of(spec, stack)


class Executor:
    """Does what a plan says, in its order, and stops at the first failure. `report` hears of each step first."""

    def __init__(self, clients: Clients, report: Report, pacing: Pacing | None = None) -> None:
        self._clients = clients
        self._report = report
        self._pacing = pacing or Pacing()
        self._variables: dict[str, object] = {}

    def run(self, plan: Plan) -> None:
        """Raises `StepFailed`, which names the step."""
        for instruction in plan.instructions:
            self._report(instruction)
            try:
                self._do(instruction)
            except ProvisionError as error:
                raise StepFailed(instruction.summary, error) from error

    def _do(self, instruction: Instruction) -> None:
        match instruction:
            case ApiCall():
                self._call(instruction)
            case WaitUntil():
                self._wait(instruction)
            case EmptyBucket():
                self._empty(instruction.bucket)

    def _call(self, call: ApiCall) -> None:
        response = self._clients.call(call.service, call.operation, self._filled(call.parameters))
        if call.output is not None:
            self._variables[call.output.name] = _found(response, call.output)

    def _filled(self, parameters: Mapping[str, object]) -> dict[str, object]:
        return {
            name: self._variables[value.name] if isinstance(value, Variable) else value
            for name, value in parameters.items()
        }

    def _wait(self, wait: WaitUntil) -> None:
        deadline = self._pacing.clock() + WAIT_DEADLINE_S
        pause = FIRST_PAUSE_S
        while not self._arrived(wait):
            if self._pacing.clock() >= deadline:
                raise ProvisionError(f"it took longer than {WAIT_DEADLINE_S:.0f} s.")
            self._pacing.sleep(self._pacing.jitter(pause / 2, pause))
            pause = min(2 * pause, LONGEST_PAUSE_S)

    def _arrived(self, wait: WaitUntil) -> bool:
        listed = self._clients.call(wait.service, wait.operation, wait.parameters)[wait.key]
        living = [entry for entry in listed if entry["status"] != "DELETED"]
        if not living or not wait.statuses:
            return not living and not wait.statuses
        status = living[0]["status"]
        if status == "INVALID" and status not in wait.statuses:
            raise ProvisionError(
                f"it is INVALID ({living[0].get('statusReason', 'AWS gives no reason')}); correct that, then "
                "clean up and provision again."
            )
        return status in wait.statuses

    def _empty(self, bucket: str) -> None:
        while True:
            parameters = {"Bucket": bucket, "MaxKeys": KEYS_PER_DELETE}
            page = self._clients.call("s3", "list_object_versions", parameters)
            entries = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            if not entries:
                return
            self._delete(bucket, entries)

    def _delete(self, bucket: str, entries: list[Document]) -> None:
        keys = [{"Key": entry["Key"], "VersionId": entry["VersionId"]} for entry in entries]
        parameters = {"Bucket": bucket, "Delete": {"Objects": keys, "Quiet": True}}
        refused = self._clients.call("s3", "delete_objects", parameters).get("Errors", [])
        if refused:
            first = refused[0]
            raise ProvisionError(
                f"S3 kept {len(refused)} of {len(keys)} objects ({first.get('Code')}: {first.get('Key')})."
            )


def _found(response: Document, output: Output) -> object:
    value: object = response
    for key in output.path:
        value = value[key] if isinstance(value, dict) else None
    return value
