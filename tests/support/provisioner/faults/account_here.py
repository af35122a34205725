"""The local AWS inside the process of a test: no HTTP, no jobs, and a fork of the process has an account of its own."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, Self
from urllib.parse import urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict
from botocore.exceptions import ConnectionClosedError

from provisioner.local.aws import LocalAWS
from provisioner.local.http.access_key import CONTROL_HEADER
from provisioner.local.http.gateway import CONTROL
from provisioner.local.http.server import ConnectionCut, HttpRequest, HttpResponse
from provisioner.local.server import LocalServer
from tests.support.local_aws.manual_batch import ManualExecutor
from tests.support.provisioner.faults.shared_session import SharedSession

Answering = Callable[[HttpRequest], HttpResponse]


class NoJobs(ManualExecutor):
    """Starts none."""

    def close(self) -> None:
        """Nothing to end."""


class ServerHere(LocalServer):
    """Answers calls of functions, and starts no process for jobs."""

    def _make_executor(self) -> Any:
        return NoJobs()

    def answer(self, request: HttpRequest) -> HttpResponse:
        """Raises `ConnectionCut`."""
        return self._gateway(request)

    def control(self, method: str, name: str, body: object) -> Any:
        """As tests ask for over HTTP."""
        headers = {CONTROL_HEADER: self._key.id}
        request = HttpRequest(method, CONTROL + name, headers=headers, body=json.dumps(body).encode())
        return json.loads(self._gateway(request).body)


class AccountHere(LocalAWS):
    """As `LocalAWS`, for clients of its own sessions."""

    def __enter__(self) -> Self:
        self._server = ServerHere(self.options, self.access_key)
        self.answering: Answering = self._server.answer
        self.endpoint = self._server.endpoint
        self.shared = SessionHere(self)
        return self

    def stop(self) -> None:
        self._server.close()
        super().stop()

    def session(self) -> Any:
        session = super().session()
        session.events.register("before-send", self._send)
        return session

    def _send(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        """In the place of a request over the network, for botocore."""
        try:
            response = self.answering(received(request))
        except ConnectionCut:
            raise ConnectionClosedError(endpoint_url=request.url) from None
        headers: Any = HeadersDict(response.headers)
        return AWSResponse(request.url, response.status, headers, Body(response.body))

    def _control(self, method: str, name: str, body: object = None) -> Any:
        return self._server.control(method, name, body)


class Body(io.BytesIO):
    """What botocore reads an answer from."""

    def stream(self, **_: object) -> Iterator[bytes]:
        yield self.read()


def received(request: AWSPreparedRequest) -> HttpRequest:
    """The request as the server of the local AWS would have read it."""
    parts = urlsplit(request.url)
    headers = {"host": parts.netloc}
    for name, value in request.headers.items():
        headers[name.lower()] = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    return HttpRequest(request.method, parts.path, parts.query, headers, bytes_of(request.body))


def bytes_of(body: Any) -> bytes:
    """The body of a request, whatever botocore made it of."""
    if isinstance(body, str):
        return body.encode()
    return bytes(body.read() if hasattr(body, "read") else body or b"")


class SessionHere(SharedSession):
    """A fork's calls come to the account of the process that made it, which so outlives the fork."""

    def __init__(self, account: AccountHere) -> None:
        super().__init__(account.session())
        self._account = account
        self._line: Connection | None = None

    def fork(self) -> int:
        here, there = Pipe()
        child = os.fork()
        if child == 0:
            self._account.answering = asking(there)
            here.close()
        else:
            self._line = here
            there.close()
        return child

    def wait(self, child: int) -> int:
        assert self._line is not None
        with self._line as line:
            answer_all(line, self._account.answering)
        return super().wait(child)


def asking(line: Connection) -> Answering:
    def ask(request: HttpRequest) -> HttpResponse:
        line.send(request)
        response: HttpResponse = line.recv()
        return response

    return ask


def answer_all(line: Connection, answering: Answering) -> None:
    """Until the other side is gone."""
    try:
        while True:
            line.send(answering(line.recv()))
    except (EOFError, OSError):
        return
