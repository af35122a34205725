"""The access key of one local AWS: made at random for each, asked of every call, known to who may read our variables.

Whoever may submit a job runs code as us, so that other users of the machine must not. Only the key's id is compared:
it never leaves the machine, and who could read it from the wire could read memory, too.
"""

from __future__ import annotations

import hmac
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from provisioner.local.http.refusals import AwsRefusal
from provisioner.local.http.server import HttpRequest, HttpResponse

ID_VARIABLE: Final = "AWS_ACCESS_KEY_ID"
SECRET_VARIABLE: Final = "AWS_SECRET_ACCESS_KEY"  # a name
CONTROL_HEADER: Final = "x-local-access-key"
"""Header of the calls below `/_local/`, which nobody signs."""
_GIVEN: Final = re.compile(r"(?:Credential|AWSAccessKeyId)=([^/,&%]+)")
_ASSUMED: Final = re.compile(rb"<AccessKeyId>(\w+)</AccessKeyId>")
UNKNOWN_KEY: Final = AwsRefusal(
    "The AWS access key id that you provided is not the one of this local AWS.",
    batch=(403, "UnrecognizedClientException"),
    s3=(403, "InvalidAccessKeyId"),
    ec2=(401, "AuthFailure"),
    query=(403, "InvalidClientTokenId"),
    json=(400, "UnrecognizedClientException"),
)


@dataclass(frozen=True, slots=True)
class AccessKey:
    """Id and secret, as boto3 takes them."""

    id: str = field(default_factory=lambda: f"LOCAL{secrets.token_hex(16).upper()}")
    secret: str = field(default_factory=lambda: secrets.token_hex(20), repr=False)

    @classmethod
    def of_environment(cls) -> AccessKey:
        """The key that the parent process handed over, where other users can't read it; else a new one."""
        given = os.environ.get(ID_VARIABLE), os.environ.get(SECRET_VARIABLE)
        return cls(given[0], given[1]) if given[0] and given[1] else cls()

    def environment(self) -> Mapping[str, str]:
        """The variables by which boto3 finds it."""
        return {ID_VARIABLE: self.id, SECRET_VARIABLE: self.secret}

    def is_of(self, request: HttpRequest) -> bool:
        """Whether the request is signed with this key, or names it for the local AWS's own control."""
        given = signed_with(request) or request.headers.get(CONTROL_HEADER, "")
        return hmac.compare_digest(given.encode(), self.id.encode())


class SessionKeys:
    """Keys of the sessions of roles that were assumed. They work as the access key does, which assumed them."""

    def __init__(self) -> None:
        self._ids: set[str] = set()

    def learn(self, answer: HttpResponse) -> None:
        """Note the key in an answer of AssumeRole."""
        self._ids |= {found.decode() for found in _ASSUMED.findall(answer.body)}

    def are_of(self, request: HttpRequest) -> bool:
        """Whether the request is signed with one of them."""
        return signed_with(request) in self._ids


def signed_with(request: HttpRequest) -> str:
    """Id of the key that the request is signed with; empty when it isn't."""
    signed = _GIVEN.search(f"{request.headers.get('authorization', '')} {request.query}")
    return signed[1] if signed else ""
