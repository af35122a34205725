"""Names of calls and callers, and counters of calls and bytes."""

from __future__ import annotations

import re
import threading
from collections import Counter, defaultdict, deque
from typing import Any, Final
from urllib.parse import parse_qs

from provisioner.local.http.server import HttpRequest

CALLERS: Final = ("scaler-batch-manager", "scaler-batch-runner", "scaler-batch-provisioner")
MAX_LOGGED: Final = 10_000
"""Calls that are remembered one by one: about 1.5 MiB."""

OTHER: Final = "other"
SCOPE: Final = re.compile(r"Credential=[^/,]+/\d+/([^/]+)/([a-z0-9-]+)/")
BUCKET_CALLS: Final = {
    "GET": "ListObjects",
    "PUT": "CreateBucket",
    "HEAD": "HeadBucket",
    "DELETE": "DeleteBucket",
}
OBJECT_CALLS: Final = {
    "GET": "GetObject",
    "PUT": "PutObject",
    "HEAD": "HeadObject",
    "DELETE": "DeleteObject",
    "POST": "PostObject",
}


def caller_of(request: HttpRequest) -> str:
    """The program of ours that calls, by its part of the user agent; `OTHER` for any other."""
    agent = request.headers.get("user-agent", "")
    return next((caller for caller in CALLERS if caller in agent), OTHER)


def service_of(request: HttpRequest) -> str:
    """The service that is called, by the signature's scope; what is not signed is S3's, as with moto."""
    found = SCOPE.search(request.headers.get("authorization", ""))
    return found[2] if found else "s3"


def region_of(request: HttpRequest) -> str | None:
    """The region that is called, by the signature's scope; None for what is not signed."""
    found = SCOPE.search(request.headers.get("authorization", ""))
    return found[1] if found else None


def api_of(request: HttpRequest, service: str) -> str:
    """The API's name as AWS writes it, for services other than Batch."""
    target = request.headers.get("x-amz-target")
    if target:
        return target.rpartition(".")[2]
    if service == "s3":
        return s3_api(request)
    if request.body.startswith(b"Action="):
        return parse_qs(request.body.decode("latin-1"))["Action"][0]
    return f"{request.method} {request.path}"


def s3_api(request: HttpRequest) -> str:
    """Operation of S3's REST API, told by method, path and subresource."""
    bucket, _, key = request.path.lstrip("/").partition("/")
    if not bucket:
        return "ListBuckets"
    query = parse_qs(request.query, keep_blank_values=True)
    special = next((name for name in query if name in S3_SUBRESOURCES), None)
    if special is not None:
        return S3_SUBRESOURCES[special].get(request.method, f"{request.method}?{special}")
    if key:
        copied = request.method == "PUT" and "x-amz-copy-source" in request.headers
        return "CopyObject" if copied else OBJECT_CALLS.get(request.method, request.method)
    return BUCKET_CALLS.get(request.method, request.method)


S3_SUBRESOURCES: Final[dict[str, dict[str, str]]] = {
    "list-type": {"GET": "ListObjectsV2"},
    "delete": {"POST": "DeleteObjects"},
    "uploadId": {
        "PUT": "UploadPart",
        "POST": "CompleteMultipartUpload",
        "DELETE": "AbortMultipartUpload",
        "GET": "ListParts",
    },
    "uploads": {"POST": "CreateMultipartUpload", "GET": "ListMultipartUploads"},
    "versions": {"GET": "ListObjectVersions"},
    "lifecycle": {
        "PUT": "PutBucketLifecycleConfiguration",
        "GET": "GetBucketLifecycleConfiguration",
        "DELETE": "DeleteBucketLifecycle",
    },
    "encryption": {"PUT": "PutBucketEncryption", "GET": "GetBucketEncryption"},
    "publicAccessBlock": {"PUT": "PutPublicAccessBlock", "GET": "GetPublicAccessBlock"},
    "policy": {
        "PUT": "PutBucketPolicy",
        "GET": "GetBucketPolicy",
        "DELETE": "DeleteBucketPolicy",
    },
    "policyStatus": {"GET": "GetBucketPolicyStatus"},
    "tagging": {"PUT": "PutBucketTagging", "GET": "GetBucketTagging", "DELETE": "DeleteBucketTagging"},
    "location": {"GET": "GetBucketLocation"},
    "versioning": {"PUT": "PutBucketVersioning", "GET": "GetBucketVersioning"},
    "ownershipControls": {
        "PUT": "PutBucketOwnershipControls",
        "GET": "GetBucketOwnershipControls",
    },
}


class CallCounts:
    """Calls in order, and calls and body bytes by caller, since the start or the last reset."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Forget everything that was counted."""
        with self._lock:
            self._calls: defaultdict[str, Counter[str]] = defaultdict(Counter)
            self._bytes_in: Counter[str] = Counter()
            self._bytes_out: Counter[str] = Counter()
            self._log: deque[tuple[str, str]] = deque(maxlen=MAX_LOGGED)

    def count(self, caller: str, name: str, bytes_in: int) -> None:
        """Count a call and the bytes of its body."""
        with self._lock:
            self._calls[caller][name] += 1
            self._log.append((caller, name))
            self._bytes_in[caller] += bytes_in

    def count_answer(self, caller: str, bytes_out: int) -> None:
        """Count the bytes of an answer's body."""
        with self._lock:
            self._bytes_out[caller] += bytes_out

    def log(self) -> list[tuple[str, str]]:
        """Caller and `service.Operation` of each call, in order; of very many only the last ones."""
        with self._lock:
            return list(self._log)

    def snapshot(self) -> dict[str, Any]:
        """The counts as a JSON object: `by_caller`, `bytes_in`, `bytes_out`."""
        with self._lock:
            return {
                "by_caller": {caller: dict(calls) for caller, calls in self._calls.items()},
                "bytes_in": dict(self._bytes_in),
                "bytes_out": dict(self._bytes_out),
            }
