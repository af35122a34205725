"""A package index that answers only who gives its user and password, with one wheel in it."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@contextmanager
def private_index(host: str, wheel: Path, login: str) -> Iterator[str]:
    """Where it listens, `host:port`; `login` is user:password. https://peps.python.org/pep-0503/"""
    project = f"/simple/{wheel.name.partition('-')[0]}/"
    pages = {project: f'<a href="/{wheel.name}">{wheel.name}</a>'.encode(), f"/{wheel.name}": wheel.read_bytes()}
    wanted = f"Basic {base64.b64encode(login.encode()).decode()}"

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.headers.get("Authorization") != wanted:
                self._answer(401, b"")
            else:
                self._answer(200 if self.path in pages else 404, pages.get(self.path, b""))

        def log_message(self, *said: object) -> None: ...

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            if status == 401:
                self.send_header("WWW-Authenticate", "Basic")
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with ThreadingHTTPServer((host, 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"{host}:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
