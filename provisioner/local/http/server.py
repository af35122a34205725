"""A lean threaded HTTP/1.1 server on loopback: keep-alive, no delay, one thread a connection.

It owns sockets and framing, nothing else. Werkzeug's development server costs more per request than most
of the calls that it would carry here; this one hands over plain `HttpRequest`s and sends plain `HttpResponse`s.
"""

from __future__ import annotations

import socket
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from io import BufferedReader
from typing import Final

MAX_LINE: Final = 64 * 1024
MAX_HEADERS: Final = 200
MAX_BODY: Final = 2 * 1024**3
BACKLOG: Final = 1024
REASONS: Final = {status.value: status.phrase for status in HTTPStatus}


@dataclass(slots=True)
class HttpRequest:
    """One request. `path` is as sent (still quoted); header names are lower case."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    port: int = 0
    """Of the caller."""


@dataclass(slots=True)
class HttpResponse:
    """One answer. `Content-Length` is added unless it is there (a HEAD's answer names a body it lacks)."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class ConnectionCut(Exception):
    """Raised by a handler: close the connection without an answer."""


class BadRequest(ValueError):
    """Request that is not HTTP/1.1 as this server speaks it."""


Handler = Callable[[HttpRequest], HttpResponse]


class HttpServer:
    """Listens at once; serves from `start` to `close`."""

    def __init__(self, handler: Handler, port: int = 0) -> None:
        self._handler = handler
        self._socket = socket.create_server(("127.0.0.1", port), backlog=BACKLOG)
        self._thread = threading.Thread(target=self._accept, name="http-accept", daemon=True)

    @property
    def port(self) -> int:
        """TCP port, also when 0 was asked for."""
        port: int = self._socket.getsockname()[1]
        return port

    def start(self) -> None:
        """Accept connections, on a thread of its own."""
        self._thread.start()

    def close(self) -> None:
        """Accept no connection any more; open ones end with the process."""
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:  # closed
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            serve = HttpConnection(connection, self._handler).serve
            threading.Thread(target=serve, name="http", daemon=True).start()


class HttpConnection:
    """One client's connection, served until either side closes it."""

    def __init__(self, connection: socket.socket, handler: Handler) -> None:
        self._socket = connection
        self._handler = handler

    def serve(self) -> None:
        """Answer one request after another until either side closes."""
        with self._socket, self._socket.makefile("rb") as reader:
            try:
                while self._serve_one(reader):
                    pass
            except ValueError as error:
                self._send(HttpResponse(400, {}, str(error).encode()), close=True)
            except (ConnectionCut, OSError):
                return

    def _serve_one(self, reader: BufferedReader) -> bool:
        line = reader.readline(MAX_LINE)
        if not line:
            return False
        request = self._read(line, reader)
        close = request.headers.get("connection", "").lower() == "close"
        self._send(self._answer(request), close=close)
        return not close

    def _read(self, line: bytes, reader: BufferedReader) -> HttpRequest:
        try:
            method, target, _ = line.decode("latin-1").split()
        except ValueError as error:
            raise BadRequest("The request line is not of the form METHOD TARGET VERSION.") from error
        headers = read_headers(reader)
        if headers.get("expect", "").lower() == "100-continue":
            self._socket.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        path, _, query = target.partition("?")
        port = self._socket.getpeername()[1]
        return HttpRequest(method, path, query, headers, read_body(reader, headers), port)

    def _answer(self, request: HttpRequest) -> HttpResponse:
        try:
            return self._handler(request)
        except ConnectionCut:
            raise
        except Exception:  # the server outlives a defect of one answer; its log says which
            traceback.print_exc(file=sys.stderr)
            return HttpResponse(500, {}, b"The local AWS failed; see its log.")

    def _send(self, response: HttpResponse, close: bool) -> None:
        headers = response.headers
        headers.setdefault("Content-Length", str(len(response.body)))
        headers.setdefault("Date", formatdate(usegmt=True))
        headers["Connection"] = "close" if close else "keep-alive"
        reason = REASONS.get(response.status, "Unknown")
        lines = [f"HTTP/1.1 {response.status} {reason}"]
        lines.extend(f"{name}: {value}" for name, value in headers.items())
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        self._socket.sendall(head + response.body if len(response.body) < MAX_LINE else head)
        if len(response.body) >= MAX_LINE:
            self._socket.sendall(response.body)


def read_headers(reader: BufferedReader) -> dict[str, str]:
    """Header lines up to the empty one. Raises `BadRequest` for too many."""
    headers: dict[str, str] = {}
    for _ in range(MAX_HEADERS):
        line = reader.readline(MAX_LINE)
        if line in (b"\r\n", b"\n", b""):
            return headers
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    raise BadRequest(f"The request has more than {MAX_HEADERS} headers.")


def read_body(reader: BufferedReader, headers: Mapping[str, str]) -> bytes:
    """Body by its length or in chunks. Raises `BadRequest` when it is too large."""
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return b"".join(iter(lambda: read_chunk(reader), b""))
    return read_exactly(reader, int(headers.get("content-length") or 0))


def read_chunk(reader: BufferedReader) -> bytes:
    """One chunk of a chunked body; empty at its end."""
    size = int(reader.readline(MAX_LINE).partition(b";")[0], 16)
    chunk = read_exactly(reader, size)
    reader.readline(MAX_LINE)
    return chunk


def read_exactly(reader: BufferedReader, size: int) -> bytes:
    """So many bytes. Raises `BadRequest` for too many, `ConnectionResetError` when the client went away."""
    if not 0 <= size <= MAX_BODY:
        raise BadRequest(f"The body has {size} bytes; at most {MAX_BODY} are taken.")
    body = reader.read(size)
    if len(body) < size:
        raise ConnectionResetError("the client went away in the middle of a request")
    return body
