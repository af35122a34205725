"""Error answers in the form of the service that is asked: Batch, CloudWatch Logs, S3, the query services."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from xml.sax.saxutils import escape

from provisioner.local.fault_desk import Call
from provisioner.local.http_server import Response

JSON_SERVICES = ("logs", "ecr", "ecs", "servicequotas", "events", "sqs")


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error by what it means; each service has its own status and code for it."""

    text: str
    batch: tuple[int, str]
    s3: tuple[int, str]
    others: tuple[int, str]


THROTTLED = Refusal(
    "Too Many Requests: the local AWS throttles this call.",
    (429, "TooManyRequestsException"),
    (503, "SlowDown"),
    (400, "ThrottlingException"),
)
EXPIRED = Refusal(
    "The security token included in the request is expired",
    (403, "ExpiredTokenException"),
    (400, "ExpiredToken"),
    (400, "ExpiredTokenException"),
)
DENIED_CODES = ("AccessDeniedException", "AccessDenied", "AccessDeniedException")
BROKEN_CODES = ("ServerException", "InternalError", "InternalFailure")
UNAVAILABLE_CODES = ("ServiceUnavailable", "ServiceUnavailable", "ServiceUnavailableException")
CODES: Mapping[int, tuple[str, str, str]] = {403: DENIED_CODES, 503: UNAVAILABLE_CODES}


def failure(status: int) -> Refusal:
    """A refusal with this HTTP status, and the code that goes with it."""
    batch, s3, others = CODES.get(status, BROKEN_CODES)
    text = f"The local AWS fails this call with {status}."
    return Refusal(text, (status, batch), (status, s3), (status, others))


def refuse(refusal: Refusal, call: Call) -> Response:
    if call.service == "batch":
        status, code = refusal.batch
        return json_error(status, code, refusal.text)
    if call.service == "s3":
        status, code = refusal.s3
        body = f"<Error><Code>{code}</Code><Message>{escape(refusal.text)}</Message></Error>"
        return xml_error(status, "" if call.api.startswith("Head") else body)
    status, code = refusal.others
    if call.service in JSON_SERVICES:
        return json_error(status, code, refusal.text)
    error = f"<Error><Code>{code}</Code><Message>{escape(refusal.text)}</Message></Error>"
    return xml_error(status, f"<ErrorResponse>{error}</ErrorResponse>")


def json_error(status: int, code: str, text: str) -> Response:
    headers = {"Content-Type": "application/json", "x-amzn-ErrorType": code}
    return Response(status, headers, json.dumps({"__type": code, "message": text}).encode())


def xml_error(status: int, body: str) -> Response:
    return Response(status, {"Content-Type": "application/xml"}, body.encode())
