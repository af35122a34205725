"""Bucket policies: kept and returned as they were put, and enforced as far as that makes sense here.

moto knows no conditions: a Deny for requests without TLS denies every GET and PUT of an object. Nothing has TLS
here, so moto never gets to see such statements.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/example-bucket-policies.html#example-bucket-policies-HTTP-HTTPS
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import unquote
from weakref import WeakKeyDictionary

from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends

from provisioner.local.account.moto_bridge import Moto
from provisioner.local.http.refusals import xml_body, xml_error
from provisioner.local.http.server import HttpRequest, HttpResponse

OF_TLS: Final = {"aws:securetransport", "s3:tlsversion"}


class BucketPolicies:
    """Store of the policies' texts, by bucket; a bucket's goes with it."""

    def __init__(self, moto: Moto) -> None:
        self._moto = moto
        self._texts: WeakKeyDictionary[Any, bytes] = WeakKeyDictionary()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        name = unquote(request.path).strip("/")
        if request.method == "PUT":
            return self._put(name, request)
        bucket = self._bucket(name)
        if bucket is not None and bucket in self._texts:
            if request.method == "GET":
                return HttpResponse(200, {"Content-Type": "application/json"}, self._texts[bucket])
            del self._texts[bucket]
        return self._moto(request)

    def _put(self, name: str, request: HttpRequest) -> HttpResponse:
        try:
            policy = json.loads(request.body)
            statements = as_list(policy["Statement"])
        except (ValueError, KeyError, TypeError):
            return malformed("Policies must be valid JSON and the first byte must be '{'")
        if not all(is_about(name, statement) for statement in statements):
            return malformed("Policy has invalid resource")
        response = self._moto(request)
        if response.status < 300:
            enforced = [one for one in statements if not is_about_tls(one)]
            bucket = self._bucket(name)
            bucket.policy = json.dumps({**policy, "Statement": enforced}).encode() if enforced else None
            self._texts[bucket] = request.body
        return response

    def _bucket(self, name: str) -> Any:
        with self._moto.lock:
            return s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets.get(name)


def malformed(text: str) -> HttpResponse:
    """The answer to a policy that S3 would not take."""
    return xml_error(400, xml_body("s3", "MalformedPolicy", text))


def as_list(value: Any) -> Sequence[Any]:
    """A policy's value as a list: JSON policies may leave out the brackets around a single one."""
    return value if isinstance(value, list) else [value]


def is_about(bucket: str, statement: Mapping[str, Any]) -> bool:
    """Whether a statement names this bucket or keys in it, and nothing else."""
    arns = [str(arn).rpartition(":::")[2] for arn in as_list(statement.get("Resource", ()))]
    return all(arn == bucket or arn.startswith(f"{bucket}/") for arn in arns)


def is_about_tls(statement: Mapping[str, Any]) -> bool:
    """Whether a statement denies requests without TLS."""
    conditions = statement.get("Condition", {}).values()
    return statement.get("Effect") == "Deny" and any(key.lower() in OF_TLS for keys in conditions for key in keys)
