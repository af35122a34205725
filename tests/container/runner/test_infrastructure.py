"""What the runner does about S3, array indexes, attempts, fences and SIGTERM, and the exit codes that say so."""

from __future__ import annotations

import base64
import importlib
import io
import itertools
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import botocore.exceptions
import pytest

from container.batch_job_wire.payload_forms import to_bundle, to_inline
from container.batch_job_wire.payload_frames import Blob, encode_payload
from container.batch_job_wire.result_frames import decode_result
from container.batch_job_wire.results import KEPT_BYTES, ResultMeta, ResultStatus
from tests.support.cases import first_now, these_now
from tests.support.paths import ROOT
from tests.support.runner.client import STORE, dumps, payload, start_runner
from tests.support.runner.s3_stand_in import Refusal, S3StandIn

SUBMISSION = "5" * 32
TASK_ID = bytes(range(16))
RESULT = f"/{STORE}/results/{SUBMISSION}/{TASK_ID.hex()}"


def by_value(source: str) -> Callable[..., Any]:
    """A function that pickles whole, as a function of a client's `__main__` does."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(source, namespace)
    function: Callable[..., Any] = namespace["f"]
    return function


def frame_of(source: str, *arguments: object) -> bytes:
    return encode_payload([(TASK_ID, payload(by_value(source), arguments))])


def run(
    s3: S3StandIn, text: str, *, options: str = "region=us-east-1", attempt: int = 1, index: int | None = None
) -> tuple[int, str]:
    variables = {"AWS_BATCH_JOB_ATTEMPT": str(attempt)}
    if index is not None:
        variables["AWS_BATCH_JOB_ARRAY_INDEX"] = str(index)
    process = start_runner(s3.endpoint, SUBMISSION, text, options=options, **variables)
    _, log = process.communicate(timeout=60)
    return process.returncode, log.decode(errors="replace")


def result(s3: S3StandIn) -> tuple[ResultMeta, Any]:
    meta, body = decode_result(s3.objects[RESULT], TASK_ID)
    return meta, pickle.loads(body)


IMPATIENT = "region=us-east-1;patience=0"
ADD = "def f(a, b): return a + b"


def test_each_child_of_an_array_runs_its_own_task_and_leaves_the_bundle(s3: S3StandIn) -> None:
    add = by_value(ADD)
    ids = [bytes([n]) * 16 for n in range(3)]
    bundle = f"/{STORE}/payloads/{SUBMISSION}"
    s3.objects[bundle] = encode_payload([(task_id, payload(add, (n, 10))) for n, task_id in enumerate(ids)])
    assert [run(s3, "s3", index=n)[0] for n in range(3)] == [0, 0, 0]
    for n, task_id in enumerate(ids):
        _, body = decode_result(s3.objects[f"/{STORE}/results/{SUBMISSION}/{task_id.hex()}"], task_id)
        assert pickle.loads(body) == n + 10
    assert bundle in s3.objects
    assert s3.requests.count(("GET", bundle)) == 3


CHATTY = """
def f(megabytes):
    import os, sys
    print("\x1b[31mred\x1b[0m", flush=True)
    print("wrong", file=sys.stderr)
    for _ in range(megabytes):
        os.write(1, b"x" * 1023 + b"\\n" + b"y" * ((1 << 20) - 1024))
    os.write(1, b"\\xff no newline")
    os.close(1)
    return 5
"""


@pytest.mark.parametrize("megabytes", [0, 3])
def test_what_a_task_prints_comes_with_its_result_if_its_client_asked(s3: S3StandIn, megabytes: int) -> None:
    frame = encode_payload([(TASK_ID, payload(by_value(CHATTY), (megabytes,)))], wanting_output=[TASK_ID])
    s3.objects[f"/{STORE}/payloads/{SUBMISSION}"] = frame
    assert run(s3, "s3")[0] == 0
    meta, value = result(s3)
    written = (
        b"\x1b[31mred\x1b[0m\n" + (b"x" * 1023 + b"\n" + b"y" * ((1 << 20) - 1024)) * megabytes + b"\xff no newline"
    )
    assert (value, meta.is_output_kept, meta.stdout_bytes, meta.stderr_bytes) == (5, True, len(written), 6)
    assert base64.b64decode(meta.stdout) == written[-KEPT_BYTES:]
    assert base64.b64decode(meta.stderr) == b"wrong\n"


def test_a_task_whose_client_did_not_ask_sends_no_output(s3: S3StandIn) -> None:
    s3.objects[f"/{STORE}/payloads/{SUBMISSION}"] = frame_of("def f(): print('hello')")
    assert run(s3, "s3")[0] == 0
    meta, _ = result(s3)
    assert (meta.is_output_kept, meta.stdout, meta.stdout_bytes) == (False, "", 0)


@pytest.mark.long
def test_a_shared_object_is_read_from_outside_of_the_bundle(s3: S3StandIn) -> None:
    big = Blob.of(dumps(b"x" * 100_000))
    blobs = [*payload(len, ()), big]
    s3.objects[f"/{STORE}/objects/{big.digest}"] = bytes(big.data)
    assert run(s3, to_inline(encode_payload([(TASK_ID, blobs)], {big.digest})))[0] == 0
    assert result(s3)[1] == 100_000


@pytest.mark.long
@pytest.mark.parametrize(("stored", "text"), first_now([(b"altered", "was altered"), (None, "doesn't exist")]))
def test_a_bad_shared_object_is_told_to_the_client(s3: S3StandIn, stored: bytes | None, text: str) -> None:
    big = Blob.of(dumps(b"x" * 1_000))
    if stored:
        s3.objects[f"/{STORE}/objects/{big.digest}"] = stored
    assert run(s3, to_inline(encode_payload([(TASK_ID, [*payload(len, ()), big])], {big.digest})))[0] == 2
    meta, error = result(s3)
    assert meta.status is ResultStatus.UNLOADABLE
    assert text in str(error)


@pytest.mark.parametrize("fence", first_now([b"replaced", b""]))
def test_a_fenced_submission_is_not_run(s3: S3StandIn, fence: bytes) -> None:
    s3.objects[f"/{STORE}/fence/{SUBMISSION}"] = fence
    assert run(s3, to_inline(frame_of(ADD, 1, 2)))[0] == 0
    assert RESULT not in s3.objects


@pytest.mark.long
def test_a_later_attempt_does_not_call_a_function_whose_result_is_there(s3: S3StandIn) -> None:
    s3.objects[RESULT] = b"written by attempt 1"
    assert run(s3, to_inline(frame_of(ADD, 1, 2)), attempt=2)[0] == 0
    assert s3.objects[RESULT] == b"written by attempt 1"


SECRET = bytes(range(32))


def signed_frame_of(source: str, *arguments: object) -> bytes:
    return encode_payload([(TASK_ID, payload(by_value(source), arguments))], secret=SECRET)


def test_a_result_is_signed_with_the_secret_of_its_payload_and_the_log_does_not_tell_it(s3: S3StandIn) -> None:
    exit_code, log = run(s3, to_inline(signed_frame_of(ADD, 1, 2)))
    assert exit_code == 0
    assert pickle.loads(decode_result(s3.objects[RESULT], TASK_ID, SECRET)[1]) == 3
    assert SECRET.hex() not in log


def test_a_later_attempt_does_not_call_a_function_whose_signed_result_is_there(s3: S3StandIn) -> None:
    text = to_inline(signed_frame_of("def f(): return object.__name__"))
    assert run(s3, text)[0] == 0
    written = s3.objects[RESULT]
    assert run(s3, text, attempt=2)[0] == 0
    assert s3.objects[RESULT] is written


@pytest.mark.long
@pytest.mark.parametrize("foreign", [b"", b"forged", b"SBRF" + bytes(500)])
def test_a_later_attempt_writes_over_what_another_job_wrote(s3: S3StandIn, foreign: bytes) -> None:
    s3.objects[RESULT] = foreign
    exit_code, log = run(s3, to_inline(signed_frame_of(ADD, 1, 2)), attempt=2)
    assert (exit_code, "was not written by an attempt of this job" in log) == (0, True)
    assert pickle.loads(decode_result(s3.objects[RESULT], TASK_ID, SECRET)[1]) == 3


def test_a_bundle_is_read_by_the_name_in_the_parameter_which_no_log_tells(s3: S3StandIn) -> None:
    text = to_bundle(bytes(range(16)))
    exit_code, log = run(s3, text)
    assert (exit_code, "doesn't exist" in log, bytes(range(16)).hex() in log) == (76, True, False)
    s3.objects[f"/{STORE}/payloads/{SUBMISSION}-{bytes(range(16)).hex()}"] = signed_frame_of(ADD, 1, 2)
    assert run(s3, text)[0] == 0


@pytest.mark.long
def test_a_shared_object_that_is_missing_or_denied_is_told_so(s3: S3StandIn) -> None:
    s3.refusals.append(Refusal("GET", "/objects/", 403, "AccessDenied"))
    blob = Blob.of(dumps(b"x" * 1_000))
    frame = encode_payload([(TASK_ID, [*payload(len, ()), blob])], {blob.digest})
    exit_code, log = run(s3, to_inline(frame))
    assert (exit_code, "or it doesn't exist" in log) == (76, True)


@pytest.mark.long
def test_a_later_attempt_without_a_result_runs(s3: S3StandIn) -> None:
    assert run(s3, to_inline(frame_of(ADD, 1, 2)), attempt=2)[0] == 0
    meta, value = result(s3)
    assert (meta.attempt, value) == (2, 3)


def test_another_python_is_refused_before_loading(s3: S3StandIn) -> None:
    assert run(s3, to_inline(frame_of(ADD, 1, 2)), options="region=us-east-1;new=1;python=2.7")[0] == 2
    meta, error = result(s3)
    assert (meta.status, meta.phase) == (ResultStatus.UNLOADABLE, "loading")
    assert "the client runs Python 2.7" in str(error)


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    these_now(
        [
            (503, "SlowDown", 75),
            (500, "InternalError", 75),
            (400, "ExpiredToken", 75),
            (400, "RequestTimeout", 75),
            (400, "Throttling", 75),
            (429, "TooManyRequests", 75),
            (409, "OperationAborted", 75),
            (404, "NoSuchBucket", 76),
            (301, "PermanentRedirect", 76),
            (403, "RequestTimeTooSkewed", 76),
            (403, "InvalidAccessKeyId", 76),
            (400, "AuthorizationHeaderMalformed", 76),
            (400, "KMS.DisabledException", 76),
            (418, "WhateverComesNext", 76),
        ],
        now={(503, "SlowDown", 75), (404, "NoSuchBucket", 76)},
    ),
)
def test_s3_that_fails_before_the_call_is_sorted_by_what_helps(
    s3: S3StandIn, status: int, code: str, expected: int
) -> None:
    s3.refusals.append(Refusal("GET", "/fence/", status, code))
    exit_code, log = run(s3, to_inline(frame_of(ADD, 1, 2)), options=IMPATIENT)
    assert exit_code == expected
    assert code in log
    assert RESULT not in s3.objects


@pytest.mark.long
def test_an_outage_before_the_call_is_waited_out_within_the_attempt(s3: S3StandIn) -> None:
    s3.refusals.append(Refusal("GET", "/fence/", 503, "SlowDown", count=4))  # botocore itself tries three times
    exit_code, log = run(s3, to_inline(frame_of(ADD, 1, 2)))
    assert (exit_code, result(s3)[1], "next try" in log) == (0, 3, True)


@pytest.mark.long
def test_an_unreachable_s3_asks_for_another_attempt(s3: S3StandIn) -> None:
    process = start_runner("http://127.0.0.1:9", SUBMISSION, to_inline(frame_of(ADD, 1, 2)), options=IMPATIENT)
    _, log = process.communicate(timeout=60)
    assert process.returncode == 75, log


@pytest.mark.long
def test_a_payload_that_may_not_be_read_is_final(s3: S3StandIn) -> None:
    s3.refusals.append(Refusal("GET", "/payloads/", 403, "AccessDenied"))
    exit_code, log = run(s3, "s3")
    assert (exit_code, "AccessDenied" in log) == (76, True)


@pytest.mark.parametrize(("attempt", "expected"), first_now([(1, 75), (2, 76)]))
def test_a_job_without_credentials_is_tried_in_one_more_container_and_not_for_long(
    s3: S3StandIn, attempt: int, expected: int
) -> None:
    process = start_runner(
        s3.endpoint,
        SUBMISSION,
        to_inline(frame_of(ADD, 1, 2)),
        AWS_BATCH_JOB_ATTEMPT=str(attempt),
        AWS_ACCESS_KEY_ID="",
        AWS_SECRET_ACCESS_KEY="",
        AWS_EC2_METADATA_DISABLED="true",
        AWS_CONFIG_FILE="/dev/null",
        AWS_SHARED_CREDENTIALS_FILE="/dev/null",
    )
    _, log = process.communicate(timeout=60)
    assert process.returncode == expected
    assert b"give the job definition a job role" in log
    assert b"next try" not in log


@pytest.mark.long
def test_a_region_that_is_none_is_refused_in_one_line(s3: S3StandIn) -> None:
    exit_code, log = run(s3, to_inline(frame_of(ADD, 1, 2)), options="region=no region")
    assert (exit_code, len(log.splitlines())) == (76, 1)


@pytest.mark.long
def test_a_role_without_list_bucket_still_works(s3: S3StandIn) -> None:
    s3.refusals.append(Refusal("GET", "/fence/", 403, "AccessDenied"))
    exit_code, log = run(s3, to_inline(frame_of(ADD, 1, 2)))
    assert (exit_code, result(s3)[1], "grant s3:ListBucket" in log) == (0, 3, True)


@pytest.mark.parametrize("text", first_now(["b:AAAA", "none", "z:!", "q:AAAA"]))
def test_a_payload_that_is_no_frame_exits_2_in_one_line(s3: S3StandIn, text: str) -> None:
    exit_code, log = run(s3, text)
    assert (exit_code, len(log.splitlines())) == (2, 1)


def test_sigterm_lets_the_task_go_and_writes_no_result_that_would_bar_a_retry(s3: S3StandIn) -> None:
    frame = frame_of("def f():\n import signal, time\n print('ready', flush=True)\n time.sleep(60)")
    process = start_runner(s3.endpoint, SUBMISSION, to_inline(frame))
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=60)
    assert process.returncode == 143
    assert b"ended by SIGTERM, the function was interrupted" in log.splitlines()[-1]
    assert RESULT not in s3.objects


@pytest.mark.long
def test_a_task_that_answers_sigterm_in_time_delivers_its_result(s3: S3StandIn) -> None:
    source = (
        "def f():\n import signal\n signal.pthread_sigmask(signal.SIG_BLOCK, {15})\n print('ready')\n"
        " signal.sigwait({15})\n return 4"
    )
    process = start_runner(s3.endpoint, SUBMISSION, to_inline(frame_of(source)))
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert (process.returncode, result(s3)[1]) == (0, 4)


def test_sigterm_before_the_call_asks_for_another_attempt(s3: S3StandIn) -> None:
    script = (
        "import os, signal, sys\n"
        f"sys.path.insert(0, {str(ROOT / 'container')!r})\n"
        "import batch_job_runner\n"
        "def make_client(region): os.kill(os.getpid(), signal.SIGTERM)\n"
        "sys.exit(batch_job_runner.main(sys.argv[1:], {}, make_client))\n"
    )
    arguments = ["--store", f"s3://{STORE}", "--submission", SUBMISSION, "--payload", "s3", "--options", "none"]
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 75, done.stderr
    assert "the function was not called" in done.stderr.splitlines()[-1]


@pytest.mark.long
def test_a_result_that_may_not_be_written_is_no_function_that_was_not_called(s3: S3StandIn) -> None:
    s3.refusals.append(Refusal("PUT", "/results/", 403, "AccessDenied"))
    script = (
        "import os, sys\n"
        f"sys.path.insert(0, {str(ROOT / 'container')!r})\n"
        "import batch_job_runner, batch_job_store\n"
        "batch_job_store._PATIENCE_S = 0.0\n"
        "sys.exit(batch_job_runner.main(sys.argv[1:], os.environ))\n"
    )
    arguments = ["--store", f"s3://{STORE}", "--submission", SUBMISSION, "--payload", to_inline(frame_of(ADD, 1, 2))]
    variables = {"AWS_ENDPOINT_URL": s3.endpoint, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    environ = {**os.environ, **variables, "AWS_DEFAULT_REGION": "us-east-1"}
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60)
    assert done.returncode == 77, done.stderr
    assert "the function was called, and its result can't be written" in done.stderr.splitlines()[-1]


class FailingClient:
    """Refuses the first `count` writes."""

    def __init__(self, code: str, count: int) -> None:
        self._answers = itertools.chain(itertools.repeat(code, count), itertools.repeat(None))
        self.written: list[bytes] = []

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> None:
        code = next(self._answers)
        if code:
            raise botocore.exceptions.ClientError({"Error": {"Code": code, "Message": "as told"}}, "PutObject")
        self.written.append(Body)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The store's module, imported as in the image."""
    monkeypatch.syspath_prepend(str(ROOT / "container"))
    return importlib.import_module("batch_job_store")


def make_store(store: Any, client: FailingClient, now: list[float]) -> Any:
    def sleep(seconds: float) -> None:
        now[0] += seconds

    return store.Store(client, "bucket", "prefix", 60.0, sleep=sleep, clock=lambda: now[0], jitter=lambda: 1.0)


def test_the_result_is_written_again_and_again_while_s3_is_away(store: Any) -> None:
    client, now = FailingClient("SlowDown", 200), [0.0]
    make_store(store, client, now).put("results/x", b"frame")
    assert client.written == [b"frame"]
    assert now[0] > 3_000


def test_a_lasting_refusal_of_the_result_ends_after_two_minutes(store: Any) -> None:
    client, now = FailingClient("AccessDenied", 1_000), [0.0]
    with pytest.raises(store.StoreError) as caught:
        make_store(store, client, now).put("results/x", b"frame")
    assert not caught.value.recoverable
    assert 120 < now[0] < 150


def test_reads_and_writes_name_the_account_that_must_own_the_bucket(store: Any) -> None:
    asked: list[dict[str, Any]] = []

    def answer(**words: Any) -> dict[str, Any]:
        asked.append(words)
        return {"Body": io.BytesIO(b"")}

    client = SimpleNamespace(put_object=answer, get_object=answer)
    made = store.Store(client, "bucket", "prefix", 60.0, owner="123456789012")
    made.put("results/x", b"frame")
    made.get("payloads/x")
    assert [words["ExpectedBucketOwner"] for words in asked] == ["123456789012"] * 2


def test_the_owner_is_an_option_and_older_managers_name_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "container"))
    settings = importlib.import_module("batch_job_settings")
    words = ["--store", f"s3://{STORE}", "--submission", SUBMISSION, "--payload", "s3", "--options"]
    owners = [settings.Settings.parse([*words, given], {}).owner for given in ("region=x;owner=123456789012", "none")]
    assert owners == ["123456789012", None]
