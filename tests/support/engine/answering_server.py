"""An HTTP server on loopback that gives one answer to everything, for what no local AWS would say."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.support.engine.batch_harness import environment


@contextmanager
def answering(
    body: bytes, status: int = 200, claimed: int | None = None, owners: list[str | None] | None = None
) -> Iterator[list[str]]:
    """AWS's endpoint for this process is a server that answers so; gives the paths asked for.

    `claimed`: the Content-Length, where it isn't the body's. `owners` gets the bucket owners that were expected.
    """
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            asked.append(self.path)
            if owners is not None:
                owners.append(self.headers.get("x-amz-expected-bucket-owner"))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body) if claimed is None else claimed))
            self.end_headers()
            with suppress(ConnectionError):  # the client had enough
                self.wfile.write(body)
            self.close_connection = claimed is not None

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            pass  # the client closed a connection that it had enough of

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    values = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
    }
    try:
        with environment(values):
            yield asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
