"""The client's side of a round trip, for scripts that run as `__main__` the way a user's script does.

Serializes like Scaler's client, runs the runner as a process, and loads what it wrote with a plain `pickle.loads`.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import uuid
from dataclasses import dataclass
from typing import Any
from urllib.request import Request, urlopen

import cloudpickle

from container.batch_job_wire.payload_forms import to_bundle, to_inline, to_inline_gzip
from container.batch_job_wire.payload_frames import Blob, encode_payload
from container.batch_job_wire.protocol import JobParameter, blob_key, bundle_name, payload_key, result_key
from container.batch_job_wire.result_frames import decode_result
from container.batch_job_wire.results import ResultMeta, ResultStatus
from tests.support.paths import CONTAINER

RUNNER = CONTAINER / "batch_job_runner.py"
STORE = "bucket/scaler-tasks/wm"
DEFAULT_SERIALIZER = b"cscaler.client.serializer.default\nDefaultSerializer\n."  # as pickle refers to it


@dataclass(frozen=True)
class Returned:
    """What came back. `value` is the result or the exception."""

    exit_code: int
    log: str
    meta: ResultMeta
    value: Any

    @property
    def notes(self) -> str:
        return "\n".join(getattr(self.value, "__notes__", ()))


def dumps(value: object) -> bytes:
    data: bytes = cloudpickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    return data


def payload(function: object, arguments: tuple[object, ...], serializer: bytes = DEFAULT_SERIALIZER) -> list[Blob]:
    return [Blob.of(data) for data in (serializer, dumps(function), *map(dumps, arguments))]


def start_runner(
    endpoint: str, submission: str, text: str, *, options: str = "region=us-east-1", **environ: str
) -> subprocess.Popen[bytes]:
    command = [os.environ.get("RUNNER_PYTHON", sys.executable), str(RUNNER)]
    values = (f"s3://{STORE}", submission, text, options)
    command += [word for flag, value in zip(JobParameter, values, strict=True) for word in (flag.flag, value)]
    credentials = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_ENDPOINT_URL": endpoint}
    batch = {"AWS_BATCH_JOB_ID": "job", "AWS_BATCH_JOB_ATTEMPT": "1"}
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    if "RUNNER_SITE" in os.environ:  # a folder whose `sitecustomize` sets the stage for the runner
        kept["PYTHONPATH"] = os.environ["RUNNER_SITE"]
    return subprocess.Popen(
        command, env={**kept, **credentials, **batch, **environ}, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def round_trip(
    function: object, *arguments: object, serializer: bytes = DEFAULT_SERIALIZER, route: str = "inline"
) -> Returned:
    """Run `function(*arguments)` in the runner and load what it wrote."""
    endpoint, task_id, submission = os.environ["S3"], uuid.uuid4().bytes, uuid.uuid4().hex
    secret = os.urandom(32)
    blobs = payload(function, arguments, serializer)
    shared = {blob.digest: blob.data for blob in blobs if route == "shared" and len(blob.data) >= 1 << 20}
    for digest, data in shared.items():
        urlopen(Request(f"{endpoint}/{STORE}/{blob_key(digest)}", data=data, method="PUT")).close()
    frame = encode_payload([(task_id, blobs)], shared, secret=secret)
    texts = {"inline": to_inline(frame), "gzip": to_inline_gzip(frame), "s3": to_bundle(os.urandom(16))}
    if route == "s3":
        key = payload_key(bundle_name(submission, texts[route]))
        urlopen(Request(f"{endpoint}/{STORE}/{key}", data=frame, method="PUT")).close()
    process = start_runner(endpoint, submission, texts["inline" if route == "shared" else route])
    _, log = process.communicate(timeout=60)
    with urlopen(f"{endpoint}/{STORE}/{result_key(submission, task_id)}") as answer:
        meta, body = decode_result(answer.read(), task_id, secret)
    return Returned(process.returncode, log.decode(), meta, pickle.loads(body))


def failure(function: object, *arguments: object, code: int = 1, serializer: bytes = DEFAULT_SERIALIZER) -> Returned:
    """A round trip that has to fail with this exit code."""
    returned = round_trip(function, *arguments, serializer=serializer)
    assert returned.exit_code == code, returned
    assert returned.meta.status is not ResultStatus.SUCCESS
    return returned
