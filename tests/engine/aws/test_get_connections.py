"""Connections for GETs, against sockets: kept, renewed, and their ends told by botocore's exceptions."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest
from botocore.exceptions import (
    ConnectionClosedError,
    EndpointConnectionError,
    ReadTimeoutError,
    ResponseStreamingError,
    SSLError,
)

from engine.aws.calls.get_connections import DirectConnections, GetConnections, get_connections

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX-Name: value\r\n\r\nbody"
Serve = Callable[[socket.socket], object]


@contextmanager
def serving(*serve: Serve) -> Iterator[str]:
    """A server that treats its first connections so, one after the other; gives its URL."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)

        def run() -> None:
            for one in serve:
                connection, _ = server.accept()
                with connection, contextlib.suppress(OSError):
                    one(connection)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            thread.join()


def answer(connection: socket.socket, times: int = 1, text: bytes = ANSWER) -> None:
    for _ in range(times):
        assert connection.recv(65536).startswith(b"GET ")
        connection.sendall(text)


def connections_to(base: str, answer_s: float = 20.0) -> GetConnections:
    return get_connections(base, None, answer_s, 4)


def body_of(connections: GetConnections, url: str) -> bytes:
    got = connections.get(url, {"X-Asked": "yes"})
    try:
        return got.read(-1)
    finally:
        got.end()


def test_a_connection_is_kept_for_the_next_get() -> None:
    with serving(lambda one: answer(one, times=3)) as base, closing(connections_to(base)) as connections:
        assert isinstance(connections, DirectConnections)
        assert [body_of(connections, f"{base}/key") for _ in range(3)] == [b"body"] * 3


def test_one_that_the_server_closed_meanwhile_is_renewed() -> None:
    with serving(answer, answer) as base, closing(connections_to(base)) as connections:
        assert [body_of(connections, f"{base}/key") for _ in range(2)] == [b"body"] * 2


def test_headers_are_found_in_whatever_case_and_the_body_in_parts() -> None:
    with serving(lambda one: answer(one, times=2)) as base, closing(connections_to(base)) as connections:
        for _ in range(2):
            got = connections.get(f"{base}/key", {})
            assert (got.status, got.headers.get("x-name")) == (200, "value")
            assert [got.read(3), got.read(3)] == [b"bod", b"y"]
            got.end()


def test_one_that_is_left_half_read_is_not_used_again() -> None:
    with serving(answer, answer) as base, closing(connections_to(base)) as connections:
        for _ in range(2):
            got = connections.get(f"{base}/key", {})
            assert got.read(1) == b"b"
            got.end()


def test_where_nobody_listens_nothing_was_sent() -> None:
    with serving() as base, closing(connections_to(base)) as connections:
        pass
    with pytest.raises(EndpointConnectionError):
        connections.get(f"{base}/key", {})


def test_a_silent_server_is_a_read_that_took_too_long() -> None:
    with (
        serving(lambda one: (one.recv(65536), one.recv(65536))) as base,
        closing(connections_to(base, answer_s=0.05)) as connections,
        pytest.raises(ReadTimeoutError),
    ):
        connections.get(f"{base}/key", {})


def test_an_end_before_the_answer_is_a_closed_connection() -> None:
    with (
        serving(lambda one: one.recv(65536)) as base,
        closing(connections_to(base)) as connections,
        pytest.raises(ConnectionClosedError),
    ):
        connections.get(f"{base}/key", {})


def test_an_end_within_the_body_is_a_broken_stream() -> None:
    with serving(lambda one: answer(one, text=ANSWER[:-2])) as base, closing(connections_to(base)) as connections:
        got = connections.get(f"{base}/key", {})
        with pytest.raises(ResponseStreamingError):
            got.read(-1)
        got.end()


def test_what_speaks_no_tls_is_told_as_that() -> None:
    def speak_plainly(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 400 no TLS\r\n\r\n")

    with serving(speak_plainly) as base:
        secure = base.replace("http:", "https:")
        with closing(connections_to(secure)) as connections, pytest.raises(SSLError):
            connections.get(f"{secure}/key", {})


def test_a_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []

    def as_proxy(connection: socket.socket) -> None:
        asked.append(connection.recv(65536).partition(b"\r\n")[0])
        connection.sendall(ANSWER)

    with serving(as_proxy) as proxy:
        monkeypatch.setenv("http_proxy", proxy)
        monkeypatch.setenv("no_proxy", "")
        with closing(connections_to("http://bucket.invalid")) as connections:
            assert body_of(connections, "http://bucket.invalid/key") == b"body"
    assert asked == [b"GET http://bucket.invalid/key HTTP/1.1"]
