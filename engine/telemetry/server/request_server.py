"""Request server of one socket: every request is answered once, or refused in words, at a bounded rate."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

import zmq
import zmq.asyncio

from engine.aio import cancel_and_wait
from engine.telemetry.schema.messages import MAX_MESSAGE_BYTES, Answer, Ask, Refusal, Reply, Request
from engine.telemetry.schema.query import QueryError
from engine.telemetry.schema.wire import BadFrame, OtherVersion, decode_ask, encode
from engine.telemetry.server.rate_limit import RateLimiter

logger = logging.getLogger(__name__)

MAX_UNANSWERED: Final = 64
"""Answers in the making at once: some wait for AWS."""

UNKNOWN: Final = "this engine doesn't know such a request: use the same release of scaler-batch on both sides"

Answering = Callable[[Request, zmq.Frame], Awaitable[Answer]]


class RequestServer:
    """Loop over one ROUTER socket.

    `answer` may raise `QueryError`, whose text is the refusal; `note_sender` is called with every sender's identity.
    """

    def __init__(
        self,
        socket: zmq.asyncio.Socket,
        answer: Answering,
        rate_limiter: RateLimiter,
        note_sender: Callable[[bytes], None],
    ) -> None:
        self._socket = socket
        self._answer = answer
        self._rate_limiter = rate_limiter
        self._note_sender = note_sender
        self._under_way: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(MAX_UNANSWERED)
        self._reported: set[str] = set()

    async def run(self) -> None:
        """Answer requests until cancelled."""
        try:
            while True:
                await self._room.acquire()
                await self._rate_limiter.acquire()
                sender, *frames = await self._socket.recv_multipart(copy=False)
                self._note_sender(sender.bytes)
                task = asyncio.create_task(self._serve(sender.bytes, frames))
                self._under_way.add(task)
                task.add_done_callback(self._finish)
        finally:
            await cancel_and_wait(self._under_way)

    async def _serve(self, sender: bytes, frames: list[zmq.Frame]) -> None:
        if len(frames) != 1:
            return
        try:
            ask = decode_ask(frames[0].bytes)
        except OtherVersion as error:
            if error.id is not None:
                self._send(sender, error.id, Refusal(str(error)))
        except BadFrame as error:
            logger.debug("telemetry: a request was dropped: %s", error)
            if error.id is not None:
                self._send(sender, error.id, Refusal(UNKNOWN))
        else:
            self._send(sender, ask.id, await self._answer_or_refuse(ask, frames[0]))

    async def _answer_or_refuse(self, ask: Ask, frame: zmq.Frame) -> Answer:
        try:
            return await self._answer(ask.request, frame)
        except QueryError as error:
            return Refusal(str(error))

    def _send(self, sender: bytes, id: int, answer: Answer) -> None:
        with self._rate_limiter.charge():
            frame = encode(Reply(id, answer))
            if len(frame) > MAX_MESSAGE_BYTES:
                frame = encode(Reply(id, Refusal("the answer would be too big: ask for a page of it")))
            # a ROUTER never waits: a viewer that doesn't read loses the answer
            self._socket.send_multipart([sender, frame], zmq.NOBLOCK)

    def _finish(self, task: asyncio.Task[None]) -> None:
        """Report a defect in an answer once; it costs no more than an answer that does not come."""
        self._under_way.discard(task)
        self._room.release()
        error = None if task.cancelled() else task.exception()
        if error is not None and type(error).__name__ not in self._reported:
            self._reported.add(type(error).__name__)
            logger.error("telemetry: a request could not be answered", exc_info=error)
