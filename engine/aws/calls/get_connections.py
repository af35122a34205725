"""Connections for signed GETs of one place: http.client's, kept open; where a proxy stands between, botocore's.

A result is read once a task, and botocore's session over urllib3 takes three times the CPU of http.client, more where
threads contend. Whatever fails is told by botocore's exceptions, which `engine.aws.errors` knows. Blocking, and safe to
use from several threads.
"""

from __future__ import annotations

import ssl
from collections import deque
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
    ResponseStreamingError,
    SSLError,
)
from botocore.httpsession import URLLib3Session, get_cert_path
from botocore.utils import get_environ_proxies
from urllib3.exceptions import HTTPError
from urllib3.exceptions import ReadTimeoutError as StreamTimeoutError

from engine.aws.session import CONNECT_TIMEOUT_S

_ALL: Final = -1


class Answer(Protocol):
    """Answer to a GET, whose body is a stream."""

    status: int
    headers: Any
    """By name, in whatever case."""

    def read(self, length: int) -> bytes:
        """Read the next `length` bytes, fewer at the end only; all that is left for -1."""

    def end(self) -> None:
        """Give the connection back, or close it when something is left to read."""


class GetConnections(Protocol):
    """Connections to one place."""

    def get(self, url: str, headers: Mapping[str, str]) -> Answer:
        """Send a GET, and wait for the head of its answer. Raises botocore's connection errors."""

    def close(self) -> None:
        """Close them."""


def get_connections(base: str, ca_bundle: str | None, answer_s: float, most: int) -> GetConnections:
    """Connections to the place of the URL `base`. An answer may take `answer_s`; `most` are kept through a proxy."""
    proxies = get_environ_proxies(base)
    if proxies:
        return ProxiedConnections(proxies, ca_bundle, answer_s, most)
    return DirectConnections(base, ca_bundle, answer_s)


class DirectConnections:
    """Connections without a proxy, as many as threads read at once."""

    def __init__(self, base: str, ca_bundle: str | None, answer_s: float) -> None:
        parts = urlsplit(base)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._place = parts.netloc
        self._host, self._port = parts.hostname or "", parts.port
        self._answer_s = answer_s
        self._tls: ssl.SSLContext | None = None
        if parts.scheme == "https":
            authorities: Any = ca_bundle or True
            self._tls = ssl.create_default_context(cafile=get_cert_path(authorities))
        self._idle: deque[HTTPConnection] = deque()
        self._is_closed = False

    def get(self, url: str, headers: Mapping[str, str]) -> DirectAnswer:
        """Send a GET; again, where the connection was kept and the other end has closed it meanwhile."""
        while True:
            kept = self._take_idle()
            connection = kept or self._connect()
            try:
                return DirectAnswer(self, connection, self._ask(connection, url, headers), self._origin)
            except TimeoutError as error:
                connection.close()
                raise ReadTimeoutError(endpoint_url=self._origin, error=error) from error
            except (HTTPException, OSError) as error:
                connection.close()
                if kept is None:
                    raise ConnectionClosedError(endpoint_url=self._origin, error=error) from error

    def give_back(self, connection: HTTPConnection) -> None:
        """Keep a connection for the next GET."""
        if self._is_closed:
            connection.close()
        else:
            self._idle.append(connection)

    def close(self) -> None:
        """Close those that are kept; one in use closes with its answer."""
        self._is_closed = True
        while (connection := self._take_idle()) is not None:
            connection.close()

    def _take_idle(self) -> HTTPConnection | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _connect(self) -> HTTPConnection:
        connection = (
            HTTPConnection(self._host, self._port, timeout=CONNECT_TIMEOUT_S)
            if self._tls is None
            else HTTPSConnection(self._host, self._port, timeout=CONNECT_TIMEOUT_S, context=self._tls)
        )
        try:
            connection.connect()
        except OSError as error:
            connection.close()
            raise _unconnected(error, self._origin) from error
        connection.sock.settimeout(self._answer_s)
        return connection

    def _ask(self, connection: HTTPConnection, url: str, headers: Mapping[str, str]) -> HTTPResponse:
        connection.putrequest("GET", url.removeprefix(self._origin), skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", self._place)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        return connection.getresponse()


class DirectAnswer:
    """Answer of one of `DirectConnections`."""

    def __init__(
        self, owner: DirectConnections, connection: HTTPConnection, response: HTTPResponse, origin: str
    ) -> None:
        self._owner = owner
        self._connection = connection
        self._response = response
        self._origin = origin
        self.status = response.status
        self.headers: Any = response.headers

    def read(self, length: int) -> bytes:
        """Read the next `length` bytes, or all that is left for -1."""
        try:
            return self._response.read(None if length == _ALL else length)
        except TimeoutError as error:
            raise ReadTimeoutError(endpoint_url=self._origin, error=error) from error
        except (HTTPException, OSError) as error:
            raise ResponseStreamingError(error=error) from error

    def end(self) -> None:
        """Give the connection back, or close it when something is left to read."""
        if self._response.length == 0:
            self._response.read()  # so that http.client takes the next request
        if self._response.isclosed() and not self._response.will_close:
            self._owner.give_back(self._connection)
        else:
            self._response.close()
            self._connection.close()


def _unconnected(error: OSError, origin: str) -> Exception:
    """What botocore says of a connection that could not be made."""
    if isinstance(error, TimeoutError):
        return ConnectTimeoutError(endpoint_url=origin, error=error)
    if isinstance(error, ssl.SSLError):
        return SSLError(endpoint_url=origin, error=error)
    return EndpointConnectionError(endpoint_url=origin, error=error)


class ProxiedConnections:
    """Connections through the proxies that the environment names."""

    def __init__(self, proxies: Mapping[str, str], ca_bundle: str | None, answer_s: float, most: int) -> None:
        timeout: Any = (CONNECT_TIMEOUT_S, answer_s)
        authorities: Any = ca_bundle or True
        self._session = URLLib3Session(
            verify=authorities, proxies=dict(proxies), timeout=timeout, max_pool_connections=most
        )

    def get(self, url: str, headers: Mapping[str, str]) -> ProxiedAnswer:
        """Send a GET, and wait for the head of its answer."""
        signed: Any = dict(headers)
        request = AWSPreparedRequest("GET", url, signed, None, stream_output=True, context={})
        return ProxiedAnswer(self._session.send(request), url)

    def close(self) -> None:
        """Close them."""
        self._session.close()


class ProxiedAnswer:
    """Answer of one of `ProxiedConnections`; urllib3's errors become botocore's."""

    def __init__(self, response: AWSResponse, url: str) -> None:
        self._raw: Any = response.raw
        self._url = url
        self.status = response.status_code
        self.headers: Any = response.headers

    def read(self, length: int) -> bytes:
        """Read the next `length` bytes, or all that is left for -1."""
        try:
            data: bytes = self._raw.read(None if length == _ALL else length)
        except StreamTimeoutError as error:
            raise ReadTimeoutError(endpoint_url=self._url, error=error) from error
        except (HTTPError, OSError) as error:
            raise ResponseStreamingError(error=error) from error
        return data

    def end(self) -> None:
        """Give the connection back, or close it when something is left to read."""
        if self._raw.length_remaining == 0:
            self._raw.release_conn()
        else:
            self._raw.close()
