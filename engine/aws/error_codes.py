"""Error codes of AWS's services, by what they mean.

Apart from `errors`, which needs botocore: commands of the provisioner shall start without it.
"""

from __future__ import annotations

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
        "RequestTimeTooSkewed",
    )
)
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
