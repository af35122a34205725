"""Bridge to moto's WSGI application, which answers everything that we don't answer ourselves.

One lock around all of moto: its backends are plain dictionaries that were written for one thread.
"""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Iterable
from functools import cache
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from moto.core import responses
from moto.moto_server import werkzeug_app

from provisioner.local.http.server import HttpRequest, HttpResponse

NO_AMIS: Final = "MOTO_EC2_LOAD_DEFAULT_AMIS"
PLAIN_NAMES: Final = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}


class Moto:
    """moto, as a function from request to response. `lock` also guards direct use of its backends."""

    def __init__(self) -> None:
        # thousands of machine images that nothing here asks for are half of what moto's EC2 costs to make
        os.environ.setdefault(NO_AMIS, "false")
        self.lock = threading.Lock()
        werkzeug_app.DISABLE_GLOBAL_CORS = True  # no browser asks us
        self._application = werkzeug_app.DomainDispatcherApplication(make_app)
        # it looks through moto's folders for every request, which is a third of the time of most, and through a class
        self._application.get_backend_for_host = cache(self._application.get_backend_for_host)
        responses.method_names_from_class = cache(responses.method_names_from_class)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = HttpResponse()

        def start_response(status: str, headers: list[tuple[str, str]], *_: Any) -> None:
            response.status = int(status.partition(" ")[0])
            response.headers = without_framing(headers)

        with self.lock:
            parts = self._application(environ_of(request), start_response)
            response.body = join(parts)
        keep_length_of_head(request, response)
        return response


def make_app(service: Any) -> Any:
    """Application of one service of moto, without what Flask does for a developer at each request."""
    app = werkzeug_app.create_backend_app(service)
    app.debug = False
    return app


def join(parts: Iterable[bytes]) -> bytes:
    """Body of a WSGI answer; closes it."""
    try:
        return b"".join(parts)
    finally:
        close = getattr(parts, "close", None)
        if close is not None:
            close()


def without_framing(headers: list[tuple[str, str]]) -> dict[str, str]:
    """Headers without those that belong to the connection: the server adds its own."""
    return {name: value for name, value in headers if name.lower() != "connection"}


def keep_length_of_head(request: HttpRequest, response: HttpResponse) -> None:
    """Only a HEAD's answer may name a length that its body doesn't have."""
    if request.method == "HEAD":
        return
    for name in [name for name in response.headers if name.lower() == "content-length"]:
        del response.headers[name]


def environ_of(request: HttpRequest) -> dict[str, Any]:
    """WSGI environment of a request (PEP 3333)."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(request.path).decode("latin-1"),
        "RAW_URI": request.path + ("?" + request.query if request.query else ""),
        "QUERY_STRING": request.query,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    environ["REQUEST_URI"] = environ["RAW_URI"]
    for name, value in request.headers.items():
        key = PLAIN_NAMES.get(name) or "HTTP_" + name.upper().replace("-", "_")
        environ[key] = value
    if request.headers.get("transfer-encoding"):  # the body was put together already
        environ.pop("HTTP_TRANSFER_ENCODING")
        environ["CONTENT_LENGTH"] = str(len(request.body))
    return environ
