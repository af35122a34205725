"""Errors are sorted by what one does about them."""

from __future__ import annotations

import pytest
from botocore import exceptions as sdk

from engine.aws.errors import Remedy, sort


def answered(status: int, code: str) -> sdk.ClientError:
    response = {"Error": {"Code": code, "Message": "why"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return sdk.ClientError(response, "SubmitJob")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "code", "remedy"),
    [
        (429, "TooManyRequestsException", Remedy.RETRY_LATER),
        (503, "SlowDown", Remedy.RETRY_LATER),
        (400, "ThrottlingException", Remedy.RETRY_LATER),
        (500, "InternalError", Remedy.RETRY_LATER),
        (400, "ExpiredToken", Remedy.REFRESH_CREDENTIALS),
        (403, "ExpiredTokenException", Remedy.REFRESH_CREDENTIALS),
        (403, "UnrecognizedClientException", Remedy.REFRESH_CREDENTIALS),
        (404, "NoSuchKey", Remedy.ABSENT),
        (412, "PreconditionFailed", Remedy.CONFLICT),
        (403, "AccessDenied", Remedy.REFUSED),
        (404, "NoSuchBucket", Remedy.REFUSED),
        (400, "ClientException", Remedy.REFUSED),
    ],
)
def test_an_answer_is_sorted_by_its_code(status: int, code: str, remedy: Remedy) -> None:
    assert sort("SubmitJob", answered(status, code), repeatable=True).remedy is remedy


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_error_on_a_call_that_acts_twice_is_ambiguous(status: int) -> None:
    assert sort("SubmitJob", answered(status, "Whatever"), repeatable=False).remedy is Remedy.AMBIGUOUS


def test_a_throttle_is_never_ambiguous() -> None:
    assert sort("SubmitJob", answered(429, "TooManyRequestsException"), repeatable=False).remedy is Remedy.RETRY_LATER


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (sdk.ReadTimeoutError(endpoint_url="x"), Remedy.AMBIGUOUS),
        (sdk.ConnectionClosedError(endpoint_url="x"), Remedy.AMBIGUOUS),
        (sdk.EndpointConnectionError(endpoint_url="x"), Remedy.RETRY_LATER),
        (sdk.ConnectTimeoutError(endpoint_url="x"), Remedy.RETRY_LATER),
        (sdk.NoCredentialsError(), Remedy.REFRESH_CREDENTIALS),
        (sdk.ParamValidationError(report="x"), Remedy.REFUSED),
    ],
)
def test_an_error_without_an_answer_is_sorted_by_whether_it_was_sent(error: sdk.BotoCoreError, remedy: Remedy) -> None:
    assert sort("SubmitJob", error, repeatable=False).remedy is remedy


def test_a_lost_answer_of_a_repeatable_call_is_just_repeated() -> None:
    assert sort("GetObject", sdk.ReadTimeoutError(endpoint_url="x"), repeatable=True).remedy is Remedy.RETRY_LATER


def test_the_text_is_one_line_with_api_and_code() -> None:
    assert str(sort("SubmitJob", answered(400, "ClientException"), repeatable=False)) == (
        "SubmitJob failed with ClientException: why"
    )
