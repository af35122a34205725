"""Gateway of all requests: names each call, counts it, lets faults strike, and hands it to the service that answers.

Batch and the hot S3 and Logs calls are ours, everything else is moto's. `/_local/…` is for tests and `local`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from engine.aws.batch_states import BatchState
from provisioner.local.account.iam_rules import IamRules
from provisioner.local.account.moto_bridge import Moto
from provisioner.local.account.price_list_api import PriceListApi
from provisioner.local.batch.jobs.lifecycle import Lifecycle
from provisioner.local.faults.fault_injector import Call, FaultInjector
from provisioner.local.faults.faults import FaultSyntaxError, KillJob, OutOfMemory, Spot, fault_from_json, parse_fault
from provisioner.local.http.access_key import UNKNOWN_KEY, AccessKey, SessionKeys
from provisioner.local.http.calls import CallCounts, api_of, caller_of, region_of, service_of
from provisioner.local.http.instance_metadata import METADATA, InstanceMetadata
from provisioner.local.http.refusals import EXPIRED, THROTTLED, as_refusal, failure, refuse
from provisioner.local.http.server import ConnectionCut, HttpRequest, HttpResponse
from provisioner.local.regions import RegionalServices, Regions
from provisioner.local.s3.s3 import S3

CONTROL: Final = "/_local/"
COUNTS: Final = ("running", "peak_running", "submitted", "attempts")


@dataclass(frozen=True, slots=True)
class Services:
    """The services that answer calls. What isn't signed is for the region `home`."""

    regions: Regions
    home: str
    prices: PriceListApi
    iam: IamRules
    s3: S3
    moto: Moto

    def of(self, request: HttpRequest) -> RegionalServices:
        """The services of the request's region."""
        return self.regions.of(region_of(request) or self.home)


class Gateway:
    """A request's way through the local AWS."""

    def __init__(self, services: Services, faults: FaultInjector, key: AccessKey) -> None:
        self._services = services
        self._faults = faults
        self._key = key
        self._sessions = SessionKeys()
        self._metadata = InstanceMetadata(faults)
        self._counts = CallCounts()
        self._control: dict[tuple[str, str], Callable[[HttpRequest], Any]] = {
            ("GET", "calls"): lambda _: self._counts.snapshot(),
            ("GET", "calls/log"): lambda _: self._counts.log(),
            ("DELETE", "calls"): lambda _: self._counts.reset(),
            ("GET", "jobs"): lambda _: jobs_of_all(services.regions.lifecycles),
            ("DELETE", "jobs"): lambda _: self._reset_peaks(),
            ("GET", "faults"): lambda _: self._faults.snapshot(),
            ("POST", "faults"): self._add_fault,
            ("DELETE", "faults"): lambda _: self._faults.clear(),
        }

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith(CONTROL):
            return self._controlled(request)
        if request.path.startswith(METADATA):
            return self._metadata.answer(request)
        call = self._name(request)
        if not (self._key.is_of(request) or self._sessions.are_of(request)):
            return refuse(UNKNOWN_KEY, call)
        self._counts.count(call.caller, f"{call.service}.{call.api}", len(request.body))
        response = self._answer(call, request)
        self._counts.count_answer(call.caller, len(response.body))
        return response

    def _name(self, request: HttpRequest) -> Call:
        service = service_of(request)
        batch = service == "batch"
        api = self._services.of(request).batch.name_of(request) if batch else api_of(request, service)
        subject = "" if self._faults.quiet else subject_of(request, service)
        return Call(service, api, caller_of(request), subject)

    def _answer(self, call: Call, request: HttpRequest) -> HttpResponse:
        if self._faults.quiet:
            return self._serve(call, request)
        time.sleep(self._faults.delay_s(call))  # each connection has a thread of its own
        if self._faults.kills_before(call):
            self._kill_caller(request)
        refused = self._refused(call)
        if refused is not None:
            return refused
        response = self._serve(call, request)
        if self._faults.kills_after(call):
            self._kill_caller(request)
        ambiguous = self._faults.ambiguous(call)
        if ambiguous is None:
            return response
        if ambiguous.status is None:
            raise ConnectionCut
        return refuse(failure(ambiguous.status), call)

    def _kill_caller(self, request: HttpRequest) -> None:
        """Kill the job that calls. Raises `ConnectionCut` when it has ended, so that it can't try again."""
        if any(one.kill_caller(request.port) for one in self._services.regions.lifecycles):
            raise ConnectionCut

    def _refused(self, call: Call) -> HttpResponse | None:
        """Raises `ConnectionCut`, too."""
        if self._faults.lost(call):
            raise ConnectionCut
        if self._faults.expired(call):
            return refuse(EXPIRED, call)
        if self._faults.throttled(call):
            return refuse(THROTTLED, call)
        passing = self._faults.refusal(call)
        if passing is not None:
            return refuse(as_refusal(passing.text, passing.status, passing.code), call)
        error = self._faults.failing(call)
        return None if error is None else refuse(failure(error.status), call)

    def _serve(self, call: Call, request: HttpRequest) -> HttpResponse:
        if call.service == "batch":
            return self._services.of(request).batch(request)
        if call.service == "s3":
            return self._services.s3(request)
        response = self._own(call, request) or self._services.moto(request)
        if call.api == "AssumeRole":
            self._sessions.learn(response)
        return response

    def _own(self, call: Call, request: HttpRequest) -> HttpResponse | None:
        """An answer of ours where moto lacks one."""
        if call.service == "pricing":
            return self._services.prices.answer(request)
        if call.service in ("iam", "sts"):
            return self._services.iam.refusal(call.api, request)
        region = self._services.of(request)
        if call.service == "logs":
            return region.logs.answer(request)
        if call.service == "kms":
            return region.kms.refusal(call.api, request)
        if call.service == "ecr":
            return region.ecr(request)
        if call.service == "servicequotas":
            return region.quotas.answer(request)
        if call.api == "DescribeRouteTables":
            region.default_route.open()
        return region.ec2.refusal(call.api, request) if call.service == "ec2" else None

    def _controlled(self, request: HttpRequest) -> HttpResponse:
        if not self._key.is_of(request):
            return HttpResponse(403, {}, UNKNOWN_KEY.text.encode())
        action = self._control.get((request.method, request.path.removeprefix(CONTROL)))
        if action is None:
            return HttpResponse(404, {}, b"There is no such control.")
        try:
            body = json.dumps(action(request)).encode()
        except (ValueError, FaultSyntaxError) as error:
            return HttpResponse(400, {}, str(error).encode())
        return HttpResponse(200, {"Content-Type": "application/json"}, body)

    def _add_fault(self, request: HttpRequest) -> None:
        """A fault as JSON, or its short form as a JSON string."""
        given = json.loads(request.body)
        fault = parse_fault(given) if isinstance(given, str) else fault_from_json(given)
        self._faults.add(fault)
        if isinstance(fault, Spot | OutOfMemory | KillJob):
            for lifecycle in self._services.regions.lifecycles:
                lifecycle.strike_running()

    def _reset_peaks(self) -> None:
        for lifecycle in self._services.regions.lifecycles:
            lifecycle.reset_peak()


def subject_of(request: HttpRequest, service: str) -> str:
    """The S3 path, or the name of the job to submit, by which a fault's `match` chooses calls."""
    if service == "s3":
        return request.path
    if service == "batch" and request.path == "/v1/submitjob":
        return str(json.loads(request.body or b"{}").get("jobName", ""))
    return ""


def jobs_of_all(lifecycles: Sequence[Lifecycle]) -> dict[str, Any]:
    """Counts of the jobs of all regions for the control API; a peak of each, added up."""
    found = [jobs_snapshot(one) for one in lifecycles]
    states = {state: sum(one["by_state"][state] for one in found) for state in BatchState}
    return {name: sum(one[name] for one in found) for name in COUNTS} | {"by_state": states}


def jobs_snapshot(lifecycle: Lifecycle) -> dict[str, Any]:
    """Counts of a region's jobs; array children count one by one."""
    with lifecycle.lock:
        members = [one for job in lifecycle.jobs.values() for one in job.members]
        states = [one.status for one in members]
        return {
            "running": len(lifecycle.running),
            "peak_running": lifecycle.peak_running,
            "submitted": len(lifecycle.jobs),
            "attempts": sum(len(one.attempts) for one in members) + len(lifecycle.running),
            "by_state": {state: states.count(state) for state in BatchState},
        }
