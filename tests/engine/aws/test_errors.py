"""Errors are sorted by what one does about them."""

from __future__ import annotations

import pytest
from botocore import exceptions as sdk

from engine.aws.errors import ErrorAction, classify_error
from tests.support.engine.aws_answers import answered


@pytest.mark.parametrize(
    ("status", "code", "action"),
    [
        (429, "TooManyRequestsException", ErrorAction.RETRY_LATER),
        (408, "408", ErrorAction.RETRY_LATER),
        (503, "SlowDown", ErrorAction.RETRY_LATER),
        (400, "ThrottlingException", ErrorAction.RETRY_LATER),
        (500, "InternalError", ErrorAction.RETRY_LATER),
        (400, "ExpiredToken", ErrorAction.REFRESH_CREDENTIALS),
        (403, "ExpiredTokenException", ErrorAction.REFRESH_CREDENTIALS),
        (403, "UnrecognizedClientException", ErrorAction.REFRESH_CREDENTIALS),
        (404, "NoSuchKey", ErrorAction.ABSENT),
        (412, "PreconditionFailed", ErrorAction.CONFLICT),
        (403, "AccessDenied", ErrorAction.REFUSED),
        (404, "NoSuchBucket", ErrorAction.REFUSED),
        (400, "ClientException", ErrorAction.REFUSED),
    ],
)
def test_an_answer_is_classified_by_its_code(status: int, code: str, action: ErrorAction) -> None:
    assert classify_error("SubmitJob", answered(status, code), repeatable=True).action is action


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_error_on_a_call_that_acts_twice_is_ambiguous(status: int) -> None:
    assert classify_error("SubmitJob", answered(status, "Whatever"), repeatable=False).action is ErrorAction.AMBIGUOUS


def test_a_throttle_is_never_ambiguous() -> None:
    assert (
        classify_error("SubmitJob", answered(429, "TooManyRequestsException"), repeatable=False).action
        is ErrorAction.RETRY_LATER
    )


@pytest.mark.parametrize(
    ("error", "action"),
    [
        (sdk.ReadTimeoutError(endpoint_url="x"), ErrorAction.AMBIGUOUS),
        (sdk.ConnectionClosedError(endpoint_url="x"), ErrorAction.AMBIGUOUS),
        (sdk.EndpointConnectionError(endpoint_url="x"), ErrorAction.RETRY_LATER),
        (sdk.ConnectTimeoutError(endpoint_url="x"), ErrorAction.RETRY_LATER),
        (sdk.NoCredentialsError(), ErrorAction.REFRESH_CREDENTIALS),
        (sdk.ParamValidationError(report="x"), ErrorAction.REFUSED),
    ],
)
def test_an_error_without_an_answer_is_sorted_by_whether_it_was_sent(
    error: sdk.BotoCoreError, action: ErrorAction
) -> None:
    assert classify_error("SubmitJob", error, repeatable=False).action is action


def test_a_lost_answer_of_a_repeatable_call_is_just_repeated() -> None:
    assert (
        classify_error("GetObject", sdk.ReadTimeoutError(endpoint_url="x"), repeatable=True).action
        is ErrorAction.RETRY_LATER
    )


def test_the_text_is_one_line_with_api_and_code() -> None:
    assert str(classify_error("SubmitJob", answered(400, "ClientException"), repeatable=False)) == (
        "SubmitJob failed with ClientException: why"
    )


@pytest.mark.parametrize("code", ["AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403"])
def test_a_missing_permission_is_denied_by_whatever_name(code: str) -> None:
    error = classify_error("SubmitJob", answered(403, code), repeatable=True)
    assert (error.denied, error.action) == (True, ErrorAction.REFUSED)


@pytest.mark.parametrize("code", ["ExpiredToken", "Throttling", "NoSuchBucket"])
def test_what_has_another_cause_is_not_denied(code: str) -> None:
    assert not classify_error("GetObject", answered(403, code), repeatable=True).denied
