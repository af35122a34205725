"""S3 API: the hot calls on our own, the rest through moto, and the faults that befall results.

Like S3 since 2020 it is strongly consistent: https://docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeAlias

from container.batch_job_wire.protocol import RESULTS
from provisioner.local.account.moto_bridge import Moto
from provisioner.local.faults.fault_injector import FaultInjector
from provisioner.local.faults.faults import (
    ChanceFault,
    CorruptResult,
    DropResult,
    IgnoreConditions,
    LateResult,
    TruncateResult,
)
from provisioner.local.http.server import HttpRequest, HttpResponse
from provisioner.local.s3 import objects
from provisioner.local.s3.bucket_policies import BucketPolicies

Change: TypeAlias = Callable[[bytes], bytes]


def truncated(body: bytes) -> bytes:
    """The first half."""
    return body[: len(body) // 2]


def corrupted(body: bytes) -> bytes:
    """The same with another byte in the middle."""
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 0xFF]) + body[middle + 1 :] if body else b"\0"


CONDITIONS: Final = ("if-match", "if-none-match")
CHANGES: Final[dict[type[ChanceFault], Change]] = {TruncateResult: truncated, CorruptResult: corrupted}


class S3:
    """Answers S3 calls; one at a time, because moto's objects want it."""

    def __init__(self, moto: Moto, faults: FaultInjector) -> None:
        self._moto = moto
        self._faults = faults
        self._policies = BucketPolicies(moto)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return objects.refuse_other_owner(request) or self._answer_owned(request)

    def _answer_owned(self, request: HttpRequest) -> HttpResponse:
        if request.query.partition("&")[0] in ("policy", "policy="):
            return self._policies(request)
        if request.method != "PUT" or self._faults.quiet:
            return self._answer(request)
        if is_conditional(request) and self._faults.strikes(IgnoreConditions, request.path):
            return self._answer(without_conditions(request))
        return self._put_result(request) if f"/{RESULTS}/" in request.path else self._answer(request)

    def _answer(self, request: HttpRequest) -> HttpResponse:
        with self._moto.lock:
            response = objects.answer(request)
        return response or self._moto(request)

    def _put_result(self, request: HttpRequest) -> HttpResponse:
        if self._faults.strikes(DropResult, request.path):
            return stored(request)
        late = self._faults.struck_by(LateResult, request.path)
        if late is not None:
            timer = threading.Timer(late.seconds, self._answer, (request,))
            timer.daemon = True
            timer.start()
            return stored(request)
        for kind, change in CHANGES.items():
            if self._faults.strikes(kind, request.path):
                self._answer(replace(request, body=change(request.body)))
                return stored(request)
        return self._answer(request)


def is_conditional(request: HttpRequest) -> bool:
    """Whether the request has a condition."""
    return any(name in request.headers for name in CONDITIONS)


def without_conditions(request: HttpRequest) -> HttpRequest:
    """The same request without its conditions."""
    return replace(request, headers={name: one for name, one in request.headers.items() if name not in CONDITIONS})


def stored(request: HttpRequest) -> HttpResponse:
    """Answer to a PUT that went well."""
    etag = hashlib.md5(request.body, usedforsecurity=False).hexdigest()
    return HttpResponse(200, {"ETag": f'"{etag}"'})
