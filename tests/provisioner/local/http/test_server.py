"""Framing, by a raw socket: what HTTP clients rely on."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from provisioner.local.http.server import ConnectionCut, HttpRequest, HttpResponse, HttpServer


def echo(request: HttpRequest) -> HttpResponse:
    if request.path == "/cut":
        raise ConnectionCut
    if request.path == "/broken":
        raise RuntimeError("a defect")
    headers = {"X-Path": f"{request.path}|{request.query}", "X-Method": request.method}
    if request.method == "HEAD":
        return HttpResponse(200, {**headers, "Content-Length": "99"})
    return HttpResponse(200, headers, request.body)


@pytest.fixture
def connection() -> Iterator[socket.socket]:
    server = HttpServer(echo)
    server.start()
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as client:
        yield client
    server.close()


def exchange(client: socket.socket, request: bytes) -> tuple[bytes, bytes]:
    client.sendall(request)
    data = b""
    while b"\r\n\r\n" not in data:
        data += client.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    while len(body) < length and not request.startswith(b"HEAD"):
        body += client.recv(65536)
    return head, body


def test_a_connection_serves_many_requests(connection: socket.socket) -> None:
    for number in range(3):
        request = f"POST /a%20b?q={number} HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc".encode()
        head, body = exchange(connection, request)
        assert f"X-Path: /a%20b|q={number}".encode() in head
        assert body == b"abc"


def test_a_chunked_body_is_put_together(connection: socket.socket) -> None:
    chunks = b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
    _, body = exchange(connection, b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
    assert body == b"abcde"


def test_who_expects_to_be_asked_for_the_body_is_asked(connection: socket.socket) -> None:
    connection.sendall(b"PUT / HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert exchange(connection, b"ok")[1] == b"ok"


def test_head_tells_a_length_without_a_body(connection: socket.socket) -> None:
    head, _ = exchange(connection, b"HEAD /x HTTP/1.1\r\n\r\n")
    assert b"Content-Length: 99" in head
    assert exchange(connection, b"GET /next HTTP/1.1\r\n\r\n")[0].startswith(b"HTTP/1.1 200")


def test_a_cut_connection_gives_no_answer(connection: socket.socket) -> None:
    connection.sendall(b"GET /cut HTTP/1.1\r\n\r\n")
    assert connection.recv(100) == b""


def test_a_defect_is_an_answer_too(connection: socket.socket) -> None:
    assert exchange(connection, b"GET /broken HTTP/1.1\r\n\r\n")[0].startswith(b"HTTP/1.1 500")


@pytest.mark.parametrize("request_", [b"hello\r\n\r\n", b"GET / HTTP/1.1\r\nContent-Length: many\r\n\r\n"])
def test_what_is_not_http_is_refused(connection: socket.socket, request_: bytes) -> None:
    assert exchange(connection, request_)[0].startswith(b"HTTP/1.1 400")


def test_a_large_body_travels_both_ways(connection: socket.socket) -> None:
    body = b"x" * 5_000_000
    connection.setblocking(True)
    _, answer = exchange(connection, b"PUT / HTTP/1.1\r\nContent-Length: 5000000\r\n\r\n" + body)
    assert answer == body
