"""A tiny S3 on loopback for the runner's tests: GET with ranges, LIST, PUT, and answers that a test makes go wrong."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit


@dataclass
class Refusal:
    """Answers `count` requests of one method whose path holds `match` with an S3 error."""

    method: str
    match: str
    status: int
    code: str
    count: int = 1_000_000


@dataclass
class S3StandIn:
    """The objects by `/bucket/key`, and the requests that were made."""

    objects: dict[str, bytes] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)
    endpoint: str = ""
    cuts: int = 0
    """So many requests find their connection closed instead of an answer."""

    def refusal(self, method: str, path: str) -> Refusal | None:
        for refusal in self.refusals:
            if refusal.method == method and refusal.match in path and refusal.count > 0:
                refusal.count -= 1
                return refusal
        return None


@contextmanager
def serve() -> Iterator[S3StandIn]:
    """Serve until the block ends."""
    state = S3StandIn()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"state": state}))
    state.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    state: S3StandIn
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # a body behind its head would wait for the client's delayed acknowledgement

    def do_GET(self) -> None:
        if self.state.cuts:
            self.state.cuts -= 1
            self.close_connection = True
            return
        if self._is_refused():
            return
        if "list-type" in self._query:
            self._list()
            return
        data = self.state.objects.get(self._key)
        if data is None:
            self._error(404, "NoSuchKey")
        elif "Range" in self.headers and not data:
            self._error(416, "InvalidRange")
        elif "Range" in self.headers:
            first, _, last = self.headers["Range"].removeprefix("bytes=").partition("-")
            self._answer(206, data[int(first) : int(last) + 1])
        else:
            self._answer(200, data)

    def do_PUT(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        if not self._is_refused():
            self.state.objects[self._key] = data
            self._answer(200, b"")

    def _list(self) -> None:
        """A page of two keys at most, so that every listing has several."""
        start = f"{self._key.rstrip('/')}/{self._query['prefix']}"
        after = self._query.get("continuation-token", "")
        keys = sorted(key for key in self.state.objects if key.startswith(start) and key > after)
        inner = "".join(f"<Contents><Key>{escape(key.split('/', 2)[2])}</Key></Contents>" for key in keys[:2])
        if len(keys) > 2:
            inner += f"<NextContinuationToken>{escape(keys[1])}</NextContinuationToken>"
        self._answer(200, f"<ListBucketResult>{inner}</ListBucketResult>".encode())

    @property
    def _query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))

    @property
    def _key(self) -> str:
        return self.path.partition("?")[0]

    def _is_refused(self) -> bool:
        self.state.requests.append((self.command, self._key))
        refusal = self.state.refusal(self.command, self.path)
        if refusal:
            self._error(refusal.status, refusal.code)
        return refusal is not None

    def _error(self, status: int, code: str) -> None:
        self._answer(status, f"<Error><Code>{code}</Code><Message>as told</Message></Error>".encode())

    def _answer(self, status: int, data: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the tests look at `requests`."""
