"""Error codes of AWS's services, by what they mean.

Apart from `errors`, which needs botocore: commands of the provisioner shall start without it.
"""

from __future__ import annotations

import re
from typing import Final

# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html and the common errors of each service
THROTTLING_CODES: Final = frozenset(
    (
        "TooManyRequestsException",
        "TooManyRequests",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestLimitExceeded",
        "LimitExceededException",
        "SlowDown",
        "429",
    )
)
CREDENTIAL_CODES: Final = frozenset(
    (
        "ExpiredToken",
        "ExpiredTokenException",
        "RequestExpired",
        "TokenRefreshRequired",
        "InvalidToken",
        "InvalidClientTokenId",
        "InvalidAccessKeyId",
        "UnrecognizedClientException",
        "SignatureDoesNotMatch",
        "InvalidSignatureException",
        "AuthFailure",
    )
)
EXPIRED_CODES: Final = frozenset(("ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"))
"""Of the above: they were good once."""
CLOCK_CODES: Final = frozenset(("RequestTimeTooSkewed",))
"""The time of the request is too far from AWS's: this machine's clock is wrong, and no other credentials help."""
DENIED_CODES: Final = frozenset(
    (
        "AccessDenied",
        "AccessDeniedException",
        "UnauthorizedOperation",
        "UnauthorizedException",
        "NotAuthorized",
        "403",
    )
)
"""All that AWS's services call a missing permission; "403" is HeadBucket's, whose answer has no body."""
ABSENT_CODES: Final = frozenset(("NoSuchKey", "404", "NotFound", "ResourceNotFoundException"))
CONFLICT_CODES: Final = frozenset(("PreconditionFailed", "ConditionalRequestConflict", "412", "409"))
TRANSIENT_CODES: Final = frozenset(("RequestTimeout", "RequestTimeoutException", "OperationAborted"))

# Signature Version 4 has one code for a wrong key and for a wrong clock, and tells them apart in words:
# "Signature expired: 2026… is now earlier than …", "Signature not yet current: 2026… is still later than …"
_CLOCK_WORDS: Final = re.compile(r"Signature (expired|not yet current)\b", re.IGNORECASE)
# SubmitJob calls everything that it refuses ClientException. No document gives the words for a queue that is DISABLED;
# they name the queue and the state.
_CLOSED_QUEUE_WORDS: Final = re.compile(r"queue\b.*\b(enabled|disabled)\b", re.IGNORECASE | re.DOTALL)
# "JobDefinition name … does not exist or is not in ACTIVE status" (AlexsLemonade/refinebio#2887)
_MISSING_DEFINITION_WORDS: Final = re.compile(
    r"job ?definition\b.*\b(not found|not exist|(in)?active)\b", re.IGNORECASE | re.DOTALL
)


def says_wrong_clock(code: str, detail: str) -> bool:
    """AWS's answer is about the time of this machine."""
    return code in CLOCK_CODES or (code in CREDENTIAL_CODES and _CLOCK_WORDS.search(detail) is not None)


def says_closed_queue(code: str, detail: str) -> bool:
    """AWS Batch's answer to SubmitJob is that the job queue takes no jobs at present."""
    return code == "ClientException" and _CLOSED_QUEUE_WORDS.search(detail) is not None


def says_missing_definition(code: str, detail: str) -> bool:
    """AWS Batch's answer to SubmitJob is that the job definition, or this revision of it, is not active."""
    return code == "ClientException" and _MISSING_DEFINITION_WORDS.search(detail) is not None
