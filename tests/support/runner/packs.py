"""A submission whose jobs run several tasks, for tests of the runner."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import Any, Final

from container.batch_job_wire.payload_forms import to_inline
from container.batch_job_wire.payload_frames import encode_payload
from container.batch_job_wire.protocol import result_key
from container.batch_job_wire.result_frames import decode_result
from container.batch_job_wire.results import ResultMeta
from tests.support.runner.client import STORE, payload
from tests.support.runner.forked_jobs import Job
from tests.support.runner.s3_stand_in import S3StandIn

SUBMISSION: Final = "5" * 32
SECRET: Final = bytes(range(32))
PACK: Final = "region=us-east-1;patience=0;pack=4"
SQUARE: Final = "def f(x): return x * x"
DEADLY: Final = """
def f(x):
    import os, signal
    number, deadly, mark = x
    if number == deadly and not os.path.exists(mark):
        open(mark, "w").close()
        os.kill(int(os.environ["RUNNER"]), signal.SIGKILL)
        while os.path.exists("/proc/" + os.environ["RUNNER"]):
            pass
        os._exit(0)
    with open(mark + ".calls", "a") as calls:
        calls.write(str(number))
    return number
"""
TERMINATING: Final = """
def f(x):
    import os, signal
    if x == "last words":
        signal.pthread_sigmask(signal.SIG_BLOCK, {15})
    if x != "fine":
        os.kill(int(os.environ["RUNNER"]), signal.SIGTERM)
    if x == "last words":
        signal.sigwait({15})
    if x == "interrupted":
        signal.pause()
    return x
"""


def task_id(number: int) -> bytes:
    """The id of the entry with this number."""
    return bytes([number + 1]) * 16


def by_value(source: str) -> Any:
    """The function `f` of this source, which travels by value."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(source, namespace)
    return namespace["f"]


def result_of(s3: S3StandIn, number: int) -> tuple[ResultMeta, Any]:
    """What the entry's own object says, and its value or exception."""
    frame = s3.objects[f"/{STORE}/{result_key(SUBMISSION, task_id(number))}"]
    meta, body = decode_result(frame, task_id(number), SECRET)
    return meta, pickle.loads(body) if body else None


def frame_of(source: str, arguments: Sequence[object], *, is_packed: bool = True) -> bytes:
    """A payload frame with a task for each of these arguments."""
    function = by_value(source)
    tasks = [(task_id(n), payload(function, (argument,))) for n, argument in enumerate(arguments)]
    return encode_payload(tasks, secret=SECRET, is_packed=is_packed)


def job(frame: bytes, **words: Any) -> Job:
    """A job of the submission; a pack of four, unless `words` say otherwise."""
    return Job(**{"submission": SUBMISSION, "payload": to_inline(frame), "options": PACK, **words})
