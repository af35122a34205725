"""An answer that AWS can't have given is asked for again; of a call that acts twice it is ambiguous."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from xml.etree import ElementTree

import pytest
from botocore.parsers import ResponseParserError

from engine.aws.calls.operations import (
    DESCRIBE_JOBS,
    LIST_JOBS,
    LIST_OBJECTS,
    PUT_OBJECT,
    SUBMIT_JOB,
    TERMINATE_JOB,
    Operation,
)
from engine.aws.client import AwsClient
from engine.aws.errors import AwsError, ErrorAction
from engine.aws.session import AwsSession
from tests.support.engine.aws_answers import script
from tests.support.engine.batch_harness import environment
from tests.support.engine.fake_clock import FakeClock

HTML = b"<!doctype html><html><body>Please log in & <b>accept</body></html>"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_CONFIG_FILE": "/dev/null"}
BODIES = [(b"", "application/json"), (HTML, "text/html"), (b"\xff\xfe", "application/json"), (b"[1]", "text/plain")]
CALLS: list[tuple[Operation, dict[str, Any], bytes]] = [
    (DESCRIBE_JOBS, {"jobs": ["one"]}, b'{"jobs": []}'),
    (LIST_JOBS, {"jobQueue": "queue"}, b'{"jobSummaryList": []}'),
]


class Proxy:
    """Something between us and AWS: answers with the bodies that it was given, one a call, then with the last."""

    def __init__(self) -> None:
        self.answers: list[tuple[bytes, str, dict[str, str]]] = []
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                body, kind, headers = proxy.answers.pop(0) if len(proxy.answers) > 1 else proxy.answers[0]
                self.send_response(200)
                for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = answer

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    made = Proxy()
    with environment({**CREDENTIALS, "AWS_ENDPOINT_URL": made.endpoint}):
        yield made
    made.close()


@pytest.fixture
def through(proxy: Proxy, clock: FakeClock) -> AwsClient:
    return AwsClient(AwsSession("us-east-1", 4), clock=clock, sleep=clock.sleep)


@pytest.mark.parametrize(("body", "kind"), BODIES)
@pytest.mark.parametrize(("operation", "arguments", "right"), CALLS)
async def test_a_foreign_answer_is_asked_for_again(
    through: AwsClient,
    proxy: Proxy,
    body: bytes,
    kind: str,
    operation: Operation,
    arguments: dict[str, Any],
    right: bytes,
) -> None:
    proxy.answers = [(body, kind, {}), (right, "application/json", {})]
    answer = await through.call(operation, **arguments)
    assert answer[operation.required[0]] == []


@pytest.mark.parametrize(("body", "kind"), BODIES)
async def test_a_foreign_answer_to_a_submit_is_ambiguous(
    through: AwsClient, proxy: Proxy, body: bytes, kind: str
) -> None:
    proxy.answers = [(body, kind, {})]
    with pytest.raises(AwsError) as caught:
        await through.call(SUBMIT_JOB, jobName="n", jobQueue="q", jobDefinition="d")
    assert caught.value.action is ErrorAction.AMBIGUOUS


async def test_an_upload_counts_only_with_its_tag(through: AwsClient, proxy: Proxy) -> None:
    proxy.answers = [(b"", "application/xml", {}), (b"", "application/xml", {"ETag": '"tag"'})]
    answer = await through.call(PUT_OBJECT, Bucket="bucket", Key="key", Body=b"body")
    assert answer["ETag"] == '"tag"'


async def test_a_page_of_html_terminates_no_job(through: AwsClient, proxy: Proxy) -> None:
    proxy.answers = [(HTML, "text/html; charset=utf-8", {}), (b"{}", "application/json", {})]
    await through.call(TERMINATE_JOB, jobId="job", reason="why")
    assert through.statistics.of("TerminateJob").errors == 1


@pytest.mark.parametrize(
    "error", [ResponseParserError("no XML"), ElementTree.ParseError("no element found: line 1, column 0")]
)
async def test_a_parsers_error_is_no_end(client: AwsClient, error: Exception) -> None:
    assert await client.run(LIST_OBJECTS, script(error, "fine")) == "fine"


async def test_while_something_else_answers_aws_is_silent(client: AwsClient) -> None:
    seen: list[Any] = []

    def look() -> str:
        seen.append(client.statistics.silence_of("s3"))
        return "fine"

    steps: Iterator[Callable[[], str]] = iter((script(ElementTree.ParseError("x")), look))
    await client.run(LIST_OBJECTS, lambda: next(steps)())
    assert seen[0] is not None
    assert client.statistics.silence_of("s3") is None
