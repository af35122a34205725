"""Socket of YMQ that wakes the event loop once for many messages.

Scaler's own hands every single message, and the end of every send, from its I/O thread to the event loop: a future, a
wake-up through a pipe, and a turn of the loop each, of which a task takes more than a dozen. Here arrivals are
gathered in the I/O thread while the loop is busy, and small sends are waited for only where something depends on it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from scaler.config.types.address import AddressConfig
from scaler.io.ymq import Bytes, ConnectorSocket, IOContext, Message

GATHERED: Final = 64
"""Messages that are taken off the connection before they are asked for."""
IN_A_ROW: Final = 16
"""Messages that one reader gets before the rest of the event loop has its turn."""
UNSENT: Final = 64
"""Sends under way, beyond which the next one waits."""
LARGE_BYTES: Final = 64 * 1024
"""A message of this size is waited for, so that its sender holds no more of them than it means to."""

IsWanted = Callable[[bytes], bool]
"""Tells by a message's bytes whether it is handed on; called in the I/O thread."""


class YMQSocket(ConnectorSocket):  # type: ignore[misc]
    """Connection to one peer: one reader, any number of senders, all on the event loop that opened it.

    What the I/O thread and the loop share are a deque and numbers that only one of them writes.
    """

    def __init__(self, base: Any, is_wanted: IsWanted | None = None) -> None:
        super().__init__(base)
        self._loop = asyncio.get_running_loop()
        self._is_wanted = is_wanted
        self._arrived: deque[Message] = deque()
        self._wished = 0
        self._taken = 0
        """Messages off the connection, of those wished for; the I/O thread's."""
        self._in_a_row = 0
        self._reader: asyncio.Future[None] | None = None
        self._is_waking = False
        """The reader's waking is on its way to the loop."""
        self._end: BaseException | None = None
        self._begun = 0
        self._sent = 0
        """The I/O thread's."""
        self._flushes: deque[tuple[int, asyncio.Future[None]]] = deque()
        """Who waits until so many are sent."""
        self._flush_at = 0
        """The first of these numbers, or 0; the loop's."""
        self._wish()

    @classmethod
    async def open(
        cls, context: IOContext, identity: bytes, address: AddressConfig, is_wanted: IsWanted | None = None
    ) -> YMQSocket:
        """Connect, trying once. Raises what the transport does."""
        plain = await ConnectorSocket.async_connect(context, identity.decode(), repr(address), max_retry_times=1)
        return cls(plain._base, is_wanted)

    async def recv_message(self) -> Message:
        """Wait for the next message that is wanted. Raises what ended the connection, behind all that came before."""
        if self._in_a_row == IN_A_ROW:
            self._in_a_row = 0
            await asyncio.sleep(0)
        while not self._arrived:
            self._in_a_row = 0
            await self._wait_for_arrival()
        self._in_a_row += 1
        message = self._arrived.popleft()
        self._wish()
        return message

    async def send_message(self, message_payload: Bytes) -> None:
        """Send a message behind those before it. Raises what ended the connection."""
        if self._end is not None:
            raise self._end
        self._begun += 1
        self._base.send_message(self._on_sent, message_payload)
        if len(message_payload) >= LARGE_BYTES or self._begun - self._sent > UNSENT:
            await self.flush()

    async def flush(self) -> None:
        """Wait until the operating system has all that was sent. Raises what ended the connection."""
        if self._sent < self._begun and self._end is None:
            written: asyncio.Future[None] = self._loop.create_future()
            self._flushes.append((self._begun, written))
            self._end_flushes()  # the I/O thread tells nobody what it did before there was a number
            await written
        if self._end is not None:
            raise self._end

    async def _wait_for_arrival(self) -> None:
        reader = self._reader = self._loop.create_future()
        try:
            if self._arrived:  # meanwhile: the I/O thread wakes nobody who wasn't there
                return
            if self._end is not None:
                raise self._end
            await reader
        finally:
            self._reader = None

    def _wish(self) -> None:
        """Ask for more messages when few are under way. Never in the I/O thread, which may meet the socket's end."""
        under_way = self._wished - self._taken + len(self._arrived)
        if under_way > GATHERED // 2 or self._end is not None:
            return
        for _ in range(GATHERED - under_way):
            self._wished += 1
            self._base.recv_message(self._on_message)

    def _on_message(self, result: Message | BaseException) -> None:
        """In the I/O thread."""
        if isinstance(result, BaseException):
            self._on_end(result)
            return
        self._taken += 1
        if self._is_wanted is not None and not self._is_wanted(result.payload.data or b""):
            if self._wished - self._taken == GATHERED // 2:
                self._call_loop(self._wish)
            return
        self._arrived.append(result)
        if self._reader is not None and not self._is_waking:
            self._is_waking = True
            self._call_loop(self._wake_reader)

    def _on_sent(self, error: BaseException | None) -> None:
        """In the I/O thread."""
        self._sent += 1
        if error is not None:
            self._on_end(error)
        elif 0 < self._flush_at <= self._sent:
            self._call_loop(self._end_flushes)

    def _on_end(self, error: BaseException) -> None:
        """In the I/O thread."""
        if self._end is not None:
            return
        self._end = error
        self._call_loop(self._wake_reader)
        self._call_loop(self._end_flushes)

    def _call_loop(self, call: Callable[[], None]) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call)

    def _wake_reader(self) -> None:
        self._is_waking = False
        reader, self._reader = self._reader, None
        if reader is not None and not reader.done():
            reader.set_result(None)

    def _end_flushes(self) -> None:
        self._flush_at = self._flushes[0][0] if self._flushes else 0
        while self._flushes and (self._flush_at <= self._sent or self._end is not None):
            _, written = self._flushes.popleft()
            self._flush_at = self._flushes[0][0] if self._flushes else 0
            if not written.done():
                written.set_result(None)
