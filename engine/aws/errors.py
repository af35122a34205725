"""Classes of AWS's errors by the action that they require, for botocore's errors and raw answers alike."""

from __future__ import annotations

from enum import Enum
from typing import Final

from botocore import exceptions as sdk

from engine.aws.error_codes import (
    ABSENT_CODES,
    CONFLICT_CODES,
    CREDENTIAL_CODES,
    DENIED_CODES,
    THROTTLING_CODES,
    TRANSIENT_CODES,
)


class ErrorAction(Enum):
    """Action that a failed call requires."""

    RETRY_LATER = "retry later"
    """Throttled, unreachable, or broken on AWS's side, and nothing was done: wait and repeat."""
    REFRESH_CREDENTIALS = "refresh credentials"
    """Nothing works until valid credentials are back: pause, never fail a task for it."""
    AMBIGUOUS = "find out whether it was done"
    """Sent, answer lost, and repeating would do it twice."""
    ABSENT = "treat as absent"
    """The object or job does not exist."""
    CONFLICT = "read again"
    """A conditional write lost against another one."""
    REFUSED = "fail what needed it"
    """AWS understood and says no: repeating can't help."""


class AwsError(Exception):
    """Failed call to AWS, with the action that it requires.

    `api` as in "SubmitJob", `code` AWS's error code or the SDK's class name.
    """

    def __init__(self, api: str, action: ErrorAction, code: str, detail: str) -> None:
        super().__init__(f"{api} failed with {code}: {detail}")
        self.api = api
        self.action = action
        self.code = code
        self.detail = detail

    @property
    def denied(self) -> bool:
        """The caller lacks a permission, which neither time nor other credentials of the same role give it."""
        return self.code in DENIED_CODES

    @property
    def throttled(self) -> bool:
        """AWS got more calls than it allows."""
        return self.code in THROTTLING_CODES


CREDENTIAL_ERRORS: Final = (
    sdk.NoCredentialsError,
    sdk.PartialCredentialsError,
    sdk.CredentialRetrievalError,
    sdk.TokenRetrievalError,
    sdk.SSOError,
)
UNSENT_ERRORS: Final = (sdk.EndpointConnectionError, sdk.ConnectTimeoutError, sdk.ProxyConnectionError)
LOST_ERRORS: Final = (sdk.HTTPClientError, sdk.IncompleteReadError, sdk.ResponseStreamingError)


def classify_error(api: str, error: sdk.BotoCoreError | sdk.ClientError, *, repeatable: bool) -> AwsError:
    """Classify an error of botocore. `repeatable` is False for calls that act twice when sent twice."""
    if isinstance(error, sdk.ClientError):
        return _classify_client_error(api, error, repeatable)
    code = type(error).__name__
    return AwsError(api, _classify_sdk_error(error, repeatable), code, _one_line(str(error)))


def never_answered(error: BaseException) -> bool:
    """Tell whether no answer came at all: AWS, or the way there, is away."""
    return isinstance(error, UNSENT_ERRORS + LOST_ERRORS)


def classify_answer(api: str, status: int, code: str, message: str, *, repeatable: bool = True) -> AwsError:
    """Classify an answer by its HTTP status and AWS's error code."""
    action = _by_code(code) or _by_status(status, repeatable)
    return AwsError(api, action, code, _one_line(message))


def _classify_client_error(api: str, error: sdk.ClientError, repeatable: bool) -> AwsError:
    described = error.response.get("Error", {})
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    code = described.get("Code", str(status))
    return classify_answer(api, status, code, described.get("Message", ""), repeatable=repeatable)


def _classify_sdk_error(error: sdk.BotoCoreError, repeatable: bool) -> ErrorAction:
    if isinstance(error, CREDENTIAL_ERRORS):
        return ErrorAction.REFRESH_CREDENTIALS
    if isinstance(error, UNSENT_ERRORS):
        return ErrorAction.RETRY_LATER
    if isinstance(error, LOST_ERRORS):
        return ErrorAction.RETRY_LATER if repeatable else ErrorAction.AMBIGUOUS
    return ErrorAction.REFUSED


def _by_code(code: str) -> ErrorAction | None:
    for codes, action in (
        (CREDENTIAL_CODES, ErrorAction.REFRESH_CREDENTIALS),
        (THROTTLING_CODES, ErrorAction.RETRY_LATER),
        (ABSENT_CODES, ErrorAction.ABSENT),
        (CONFLICT_CODES, ErrorAction.CONFLICT),
        (TRANSIENT_CODES, ErrorAction.RETRY_LATER),
    ):
        if code in codes:
            return action
    return None


def _by_status(status: int, repeatable: bool) -> ErrorAction:
    if status == 429:
        return ErrorAction.RETRY_LATER
    if status >= 500:
        return ErrorAction.RETRY_LATER if repeatable else ErrorAction.AMBIGUOUS
    return ErrorAction.REFUSED


def _one_line(text: str) -> str:
    return " ".join(text.split())[:500] or "no further detail"
