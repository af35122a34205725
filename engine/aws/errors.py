"""Classes of AWS's errors by the action that they require, for botocore's errors and raw answers alike."""

from __future__ import annotations

from enum import Enum
from typing import Final
from xml.etree.ElementTree import ParseError

from botocore import exceptions as sdk
from botocore.parsers import ResponseParserError

from container.batch_job_quoting import quote_foreign
from engine.aws.error_codes import (
    ABSENT_CODES,
    CLOCK_CODES,
    CONFLICT_CODES,
    CREDENTIAL_CODES,
    DENIED_CODES,
    EXPIRED_CODES,
    THROTTLING_CODES,
    TRANSIENT_CODES,
    says_closed_queue,
    says_missing_definition,
    says_wrong_clock,
)

FORBIDDEN_STATUSES: Final = (401, 403)
CODE_LENGTH: Final = 80
DETAIL_LENGTH: Final = 500
"""Characters of AWS's words that are shown."""


class ErrorAction(Enum):
    """Action that a failed call requires."""

    RETRY_LATER = "retry later"
    """Throttled, unreachable, or broken on AWS's side, and nothing was done: wait and repeat."""
    REFRESH_CREDENTIALS = "refresh credentials"
    """Nothing works until valid credentials (or the right time) are back: pause, never fail a task for it."""
    AMBIGUOUS = "find out whether it was done"
    """Sent, answer lost, and repeating would do it twice."""
    ABSENT = "treat as absent"
    """The object or job does not exist."""
    CONFLICT = "read again"
    """A conditional write lost against another one."""
    REFUSED = "fail what needed it"
    """AWS understood and says no: repeating can't help."""


class MalformedAnswer(Exception):
    """Answer with status 200 that is none of AWS's: empty, a proxy's page, or without what AWS always gives."""


class AwsError(Exception):
    """Failed call to AWS, with the action that it requires.

    `api` as in "SubmitJob", `code` AWS's error code or the SDK's class name, `status` HTTP's (0: no answer). `code` and
    `detail` are others' words, and quoted here: whoever tells of the error needs not.
    """

    def __init__(self, api: str, action: ErrorAction, code: str, detail: str, status: int = 0) -> None:
        self.api = api
        self.action = action
        self.code = quote_foreign(code, CODE_LENGTH)
        self.detail = _one_line(detail)
        self.status = status
        super().__init__(f"{self.api} failed with {self.code}: {self.detail}")

    @property
    def denied(self) -> bool:
        """The caller lacks a permission, which neither time nor other credentials of the same role give it."""
        return self.code in DENIED_CODES

    @property
    def forbidden(self) -> bool:
        """AWS refused the caller, by whatever code: a right is missing, for a moment or for good."""
        return self.action is ErrorAction.REFUSED and (self.denied or self.status in FORBIDDEN_STATUSES)

    @property
    def closed_queue(self) -> bool:
        """AWS Batch took no job because the job queue is disabled at present."""
        return says_closed_queue(self.code, self.detail)

    @property
    def missing_definition(self) -> bool:
        """AWS Batch took no job because the job definition, or its revision, is not active."""
        return says_missing_definition(self.code, self.detail)

    @property
    def wrong_clock(self) -> bool:
        """AWS refused the time of the request: this machine's clock is wrong."""
        return says_wrong_clock(self.code, self.detail)

    @property
    def expired(self) -> bool:
        """AWS refused credentials that were good once."""
        return self.code in EXPIRED_CODES and not self.wrong_clock

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
    sdk.MetadataRetrievalError,
    sdk.RefreshWithMFAUnsupportedError,
    # a configuration that is being written anew
    sdk.ProfileNotFound,
    sdk.ConfigNotFound,
    sdk.ConfigParseError,
    sdk.InvalidConfigError,
    sdk.UnknownCredentialError,
    sdk.InfiniteLoopConfigError,
)
UNSENT_ERRORS: Final = (sdk.EndpointConnectionError, sdk.ConnectTimeoutError, sdk.ProxyConnectionError)
LOST_ERRORS: Final = (sdk.HTTPClientError, sdk.IncompleteReadError, sdk.ResponseStreamingError)
MALFORMED_ERRORS: Final = (MalformedAnswer, ResponseParserError, ParseError)
"""Answers that can't be read, by our own check, by botocore's parsers and by the XML parser."""


def classify_error(api: str, error: sdk.BotoCoreError | sdk.ClientError, *, repeatable: bool) -> AwsError:
    """Classify an error of botocore. `repeatable` is False for calls that act twice when sent twice."""
    if isinstance(error, sdk.ClientError):
        return _classify_client_error(api, error, repeatable)
    code = type(error).__name__
    return AwsError(api, _classify_sdk_error(error, repeatable), code, str(error))


def classify_malformed(api: str, error: Exception, *, repeatable: bool) -> AwsError:
    """Classify one of `MALFORMED_ERRORS`: AWS may have done what was asked, since something answered."""
    action = ErrorAction.RETRY_LATER if repeatable else ErrorAction.AMBIGUOUS
    return AwsError(api, action, MalformedAnswer.__name__, f"no answer of AWS's: {error}")


def classify_fetch(api: str, error: sdk.ClientError) -> AwsError:
    """Classify an error of another operation than `api`: credentials for it were being fetched."""
    found = _classify_client_error(api, error, repeatable=True)
    detail = f"{error.operation_name}: {found.detail}"
    return AwsError(api, ErrorAction.REFRESH_CREDENTIALS, found.code, detail, found.status)


def never_answered(error: BaseException) -> bool:
    """Tell whether AWS did not answer: it, or the way there, is away, or something else answered in its place."""
    return isinstance(error, UNSENT_ERRORS + LOST_ERRORS + MALFORMED_ERRORS)


def classify_answer(api: str, status: int, code: str, message: str, *, repeatable: bool = True) -> AwsError:
    """Classify an answer by its HTTP status and AWS's error code."""
    action = _by_code(code) or _by_status(status, repeatable)
    return AwsError(api, action, code, message, status)


def _classify_client_error(api: str, error: sdk.ClientError, repeatable: bool) -> AwsError:
    described = error.response.get("Error", {})
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    code = described.get("Code") or str(status)
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
        (CREDENTIAL_CODES | CLOCK_CODES, ErrorAction.REFRESH_CREDENTIALS),
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
    if status >= 500 or status == 408:
        return ErrorAction.RETRY_LATER if repeatable else ErrorAction.AMBIGUOUS
    return ErrorAction.REFUSED


def _one_line(text: str) -> str:
    """Lines become words of one line; only of what is shown, since a text may have megabytes."""
    shown = " ".join(text[: 4 * DETAIL_LENGTH].split())
    return quote_foreign(shown, DETAIL_LENGTH) or "no further detail"
