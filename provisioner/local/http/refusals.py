"""Error answers in the form and with the codes of the service that is asked.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html,
https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html and their likes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

from provisioner.local.faults.fault_injector import Call
from provisioner.local.http.server import HttpResponse

JSON_SERVICES: Final = ("logs", "ecr", "ecs", "servicequotas", "events", "sqs", "kms")
OWN_CODES: Final = ("batch", "s3", "ec2")
Answer = tuple[int, str]


@dataclass(frozen=True, slots=True)
class AwsRefusal:
    """An error by what it means; HTTP status and code are each service's own."""

    text: str
    batch: Answer
    s3: Answer
    ec2: Answer
    query: Answer
    json: Answer

    def answer_of(self, service: str) -> Answer:
        """HTTP status and error code in the words of the service."""
        kind = "json" if service in JSON_SERVICES else service if service in OWN_CODES else "query"
        answer: Answer = getattr(self, kind)
        return answer


THROTTLED: Final = AwsRefusal(
    "Too Many Requests: the local AWS throttles this call.",
    batch=(429, "TooManyRequestsException"),
    s3=(503, "SlowDown"),
    ec2=(503, "RequestLimitExceeded"),
    query=(400, "Throttling"),
    json=(400, "ThrottlingException"),
)
EXPIRED: Final = AwsRefusal(
    "The security token included in the request is expired",
    batch=(403, "ExpiredTokenException"),
    s3=(400, "ExpiredToken"),
    ec2=(400, "RequestExpired"),
    query=(403, "ExpiredToken"),
    json=(400, "ExpiredTokenException"),
)
# In the order of the fields: batch, s3, ec2, query, json.
DENIED_CODES: Final = (
    "AccessDeniedException",
    "AccessDenied",
    "UnauthorizedOperation",
    "AccessDenied",
    "AccessDeniedException",
)
BROKEN_CODES: Final = ("ServerException", "InternalError", "InternalError", "InternalFailure", "InternalFailure")
UNAVAILABLE_CODES: Final = (
    "ServiceUnavailable",
    "ServiceUnavailable",
    "Unavailable",
    "ServiceUnavailable",
    "ServiceUnavailableException",
)
CODES: Final[Mapping[int, tuple[str, ...]]] = {403: DENIED_CODES, 503: UNAVAILABLE_CODES}


def failure(status: int) -> AwsRefusal:
    """A refusal with this HTTP status, and the code that goes with it."""
    codes = CODES.get(status, BROKEN_CODES)
    return AwsRefusal(f"The local AWS fails this call with {status}.", *((status, code) for code in codes))


def as_refusal(text: str, status: int, code: str) -> AwsRefusal:
    """A refusal of one service."""
    return AwsRefusal(text, *((status, code) for _ in range(5)))


def refuse(refusal: AwsRefusal, call: Call) -> HttpResponse:
    """Error answer to a call in the format of its service: JSON, or one of two XML forms."""
    status, code = refusal.answer_of(call.service)
    if call.service == "batch" or call.service in JSON_SERVICES:
        return json_error(status, code, refusal.text)
    if call.service == "s3" and call.api.startswith("Head"):
        return xml_error(status, "")
    return xml_error(status, xml_body(call.service, code, refusal.text))


def xml_body(service: str, code: str, text: str) -> str:
    """XML error document in the form that the service uses."""
    error = f"<Error><Code>{code}</Code><Message>{escape(text)}</Message></Error>"
    if service == "s3":
        return error
    if service == "ec2":
        return f"<Response><Errors>{error}</Errors><RequestID>local</RequestID></Response>"
    return f"<ErrorResponse>{error}<RequestId>local</RequestId></ErrorResponse>"


def json_error(status: int, code: str, text: str) -> HttpResponse:
    """Error answer of a JSON service; the code stands in the body and in `x-amzn-ErrorType`."""
    headers = {"Content-Type": "application/json", "x-amzn-ErrorType": code}
    return HttpResponse(status, headers, json.dumps({"__type": code, "message": text}).encode())


def xml_error(status: int, body: str) -> HttpResponse:
    """Error answer of an XML service."""
    return HttpResponse(status, {"Content-Type": "application/xml"}, body.encode())
