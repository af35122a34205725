"""Checks of S3: a key that is missing under the exported policy alone, and conditional writes that meet each other."""

from __future__ import annotations

from typing import Final

from provisioner.errors import CallFailed
from provisioner.selftest.bench import Bench
from provisioner.selftest.model import CheckFailed

MISSING: Final = "NoSuchKey"
CONFLICTS: Final = ("PreconditionFailed", "ConditionalRequestConflict")
OTHER_ETAG: Final = '"00000000000000000000000000000000"'


def missing_key(bench: Bench) -> str:
    """Read a key that isn't there: the policy's `s3:ListBucket` with its condition makes that a 404, and no 403."""
    clients, key = bench.manager_clients, bench.key("missing")
    try:
        clients.call("s3", "get_object", {"Bucket": bench.target.bucket, "Key": key})
    except CallFailed as error:
        if error.code != MISSING:
            raise CheckFailed(
                f"A missing key answers {error.code} under the exported policy alone, not 404."
            ) from error
        return f"404 {error.code} for {key}"
    raise CheckFailed(f"{key} is there.")


def conditional_put(bench: Bench) -> str:
    """Write a key that is there, and one that changed: both are refused."""
    clients = bench.working_clients
    place = {"Bucket": bench.target.bucket, "Key": bench.key("condition")}
    clients.call("s3", "put_object", {**place, "Body": b"first", "IfNoneMatch": "*"})
    codes = [
        _refusal(bench, {**place, "Body": b"second", **condition})
        for condition in ({"IfNoneMatch": "*"}, {"IfMatch": OTHER_ETAG})
    ]
    clients.call("s3", "delete_object", place)
    return f"If-None-Match: {codes[0]}, If-Match of another ETag: {codes[1]}"


def _refusal(bench: Bench, parameters: dict[str, object]) -> str:
    try:
        bench.working_clients.call("s3", "put_object", parameters)
    except CallFailed as error:
        if error.code not in CONFLICTS:
            raise
        return error.code
    raise CheckFailed(f"S3 wrote over {parameters['Key']} although the condition didn't hold.")
