"""Link to Scaler's object storage: connects, reconnects, and repeats what an outage cut off."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

from engine.link_health import LinkHealth
from engine.messages import LinkDown, UnreadableAnswer
from engine.model import LinkId

logger = logging.getLogger(__name__)

STORAGE_RECONNECT_S: Final = 1.0
MISSING_AFTER_S: Final = 60.0
"""An object that does not appear within this, on one connection, is lost: a restarted storage has none of the old."""


LARGE_WITHIN_S: Final = 600.0
"""As `MISSING_AFTER_S`, of a whole object: it was there a moment ago, and may be long."""


UNREADABLE_ANSWERS: Final = 3
"""Connections in a row on which a read met an answer that can't be read."""


class ObjectUnreadable(ValueError):
    """Object storage answers reads of an object with what is no answer, on one connection after the other."""


class ObjectMissing(ValueError):
    """An object that a task refers to does not exist; no task before it is there, so it won't come."""


class ObjectChannel(Protocol):
    """One connection; `engine.scaler_link.StorageChannel`. Everything raises `LinkDown`."""

    async def get(self, object_id: bytes, at_most: int | None) -> bytes | memoryview:
        """Read an object, or its first `at_most` bytes; waits until it exists."""

    async def put(self, object_id: bytes, data: bytes) -> None:
        """Store an object."""

    async def run(self) -> None:
        """Move answers to their readers until the connection ends."""

    def close(self) -> None:
        """End the connection."""


class StorageLink:
    """Gets and puts that wait for a connection; `run` keeps one up."""

    def __init__(self, connect: Callable[[str], Awaitable[ObjectChannel]], address: str | None) -> None:
        self._connect = connect
        self._address = address
        self._address_known = asyncio.Event()
        if address is not None:
            self._address_known.set()
        self._channel: ObjectChannel | None = None
        self._up = asyncio.Event()
        self._ended: asyncio.Future[LinkDown | None] | None = None
        self.health = LinkHealth("object storage", id=LinkId.OBJECT_STORAGE)

    @property
    def is_known(self) -> bool:
        """There is an address to connect to; without a task there may be none yet."""
        return self._address is not None

    def use_address(self, address: str) -> None:
        """Take the address that the scheduler advertises; a configured one stays."""
        if self._address is None:
            self._address = address
            self._address_known.set()

    async def run(self) -> None:
        """Keep a connection up until cancelled."""
        await self._address_known.wait()
        assert self._address is not None
        reported = False
        while True:
            try:
                channel = await self._connect(self._address)
            except LinkDown as error:
                if not reported:
                    logger.warning("object storage: %s; retrying, tasks wait", error)
                reported = True
                self.health.mark_down(str(error))
            else:
                logger.info("object storage: connected to %s", self._address)
                self.health.mark_up(self._address)
                reported = False
                await self._serve(channel)
            await asyncio.sleep(STORAGE_RECONNECT_S)

    async def get(self, object_id: bytes, at_most: int | None = None) -> bytes | memoryview:
        """Read the object's bytes, `at_most` so many of them; waits for it, and for a connection.

        Raises `ObjectMissing` when it does not come on a connection that lives (`MISSING_AFTER_S`, `LARGE_WITHIN_S`),
        `ObjectUnreadable` when answers that can't be read end `UNREADABLE_ANSWERS` connections before it came.
        """
        within_s = LARGE_WITHIN_S if at_most is None else MISSING_AFTER_S
        unreadable = 0
        while True:
            channel, ended = await self._connected()
            reading = asyncio.ensure_future(channel.get(object_id, at_most))
            either: list[asyncio.Future[Any]] = [reading, ended]
            self.health.note_asked(reading)
            try:
                await asyncio.wait(either, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
            finally:
                self.health.drop_asked(reading)
            if reading.done() and reading.exception() is None:
                self.health.note_heard()
                return reading.result()
            if not reading.done() and not ended.done():
                self._leave_behind(reading, ended)
                raise ObjectMissing(f"object {object_id.hex()} is not in object storage, for {within_s:.0f} s now")
            await self._abandon(reading)
            if ended.done() and isinstance(end := ended.result(), UnreadableAnswer):
                unreadable += 1
                if unreadable == UNREADABLE_ANSWERS:
                    raise ObjectUnreadable(f"object {object_id.hex()} can't be read: object storage: {end}")

    async def put(self, object_id: bytes, data: bytes) -> None:
        """Store an object; waits for a connection. Storage itself acknowledges nothing."""
        while True:
            channel, _ = await self._connected()
            try:
                await channel.put(object_id, data)
            except LinkDown:
                await asyncio.sleep(STORAGE_RECONNECT_S)
            else:
                return

    async def _connected(self) -> tuple[ObjectChannel, asyncio.Future[LinkDown | None]]:
        await self._up.wait()
        assert self._channel is not None
        assert self._ended is not None
        return self._channel, self._ended

    async def _serve(self, channel: ObjectChannel) -> None:
        self._channel = channel
        self._ended = asyncio.get_running_loop().create_future()
        self._up.set()
        end: LinkDown | None = None
        try:
            await channel.run()
        except LinkDown as error:
            end = error
            logger.warning("object storage: connection lost (%s); reconnecting", error)
            self.health.mark_down(str(error))
        finally:
            self._up.clear()
            self._ended.set_result(end)
            channel.close()

    def _leave_behind(
        self, reading: asyncio.Future[bytes | memoryview], ended: asyncio.Future[LinkDown | None]
    ) -> None:
        """Nobody waits for it any more, but on a living connection a read must not be cancelled."""
        ended.add_done_callback(lambda _: reading.cancel())
        reading.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def _abandon(self, reading: asyncio.Future[bytes | memoryview]) -> None:
        """The connection went: its answers will never come. A refused id is the caller's to know."""
        reading.cancel()
        outcome = (await asyncio.gather(reading, return_exceptions=True))[0]
        if isinstance(outcome, Exception) and not isinstance(outcome, LinkDown):
            raise outcome
        await asyncio.sleep(0)
