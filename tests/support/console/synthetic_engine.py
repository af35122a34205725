"""`python -m tests.support.console.synthetic_engine --jobs N --rate R`: an engine's telemetry without an engine.

Publishes a `World` twice a second and answers what a console asks, so that the console can be watched, measured and
photographed at any size. Runs until it is ended.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from itertools import islice
from pathlib import Path

import zmq

from engine.telemetry.endpoints import Endpoint, claim_folder
from engine.telemetry.schema.messages import (
    IDLE_TICK_S,
    REPLICA_LIMIT,
    TICK_S,
    Answer,
    Ask,
    Diagnose,
    Diagnosed,
    Done,
    Events,
    FullState,
    GetEvents,
    GetFailures,
    GetFullState,
    GetGroups,
    GetJob,
    GetJobPage,
    GetLanes,
    GetLogs,
    GetRows,
    GetTrends,
    Hello,
    Job,
    JobPage,
    JobRecord,
    JobState,
    LogLine,
    LogPage,
    LogStatus,
    Refusal,
    Reply,
    Request,
    Tick,
    Transition,
    Trends,
    Welcome,
)
from engine.telemetry.schema.query import make_page
from engine.telemetry.schema.wire import decode_ask, encode
from engine.telemetry.tally.failures import failures_of_rows
from engine.telemetry.tally.lanes import lanes_of_rows
from engine.telemetry.tally.row_groups import group_rows
from tests.support.console.demo.diagnosis import without_capacity
from tests.support.console.demo.events import demo_events
from tests.support.console.synthetic_world import MANAGER, World

ROWS_WITH_SLOTS = 20_000
"""The ended ones that an engine keeps, and as many under way."""


class SyntheticEngine:
    """One `World` behind the three sockets."""

    def __init__(self, world: World, folder: Path, rate: float) -> None:
        self._world = world
        self._rate = rate
        self._seq = 0
        self._lines = 0
        self._counted: dict[str, tuple[Request, Answer, float]] = {}
        """The last answer of each kind that takes a look through the rows, and until when it stands."""
        self._paged = len(world.rows) > REPLICA_LIMIT
        endpoint = Endpoint.ipc(folder)
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
        self._publish = context.socket(zmq.PUB)
        self._publish.bind(endpoint.publish)
        self._sockets = [context.socket(zmq.ROUTER), context.socket(zmq.ROUTER)]
        for socket, address in zip(self._sockets, (endpoint.view, endpoint.control), strict=True):
            socket.bind(address)

    def serve(self) -> None:
        """For ever."""
        poller = zmq.Poller()
        for socket in self._sockets:
            poller.register(socket, zmq.POLLIN)
        next_tick = time.monotonic()
        while True:
            for socket, _ in poller.poll(max(0, int((next_tick - time.monotonic()) * 1000))):
                self._answer(socket)
            if time.monotonic() >= next_tick:
                period = TICK_S if self._rate else IDLE_TICK_S
                next_tick += period
                self._tick(period)

    def _tick(self, period: float) -> None:
        changed, removed = self._world.advance(period, int(self._rate * period))
        self._seq += 1
        snapshot = self._world.snapshot(paged=self._paged)
        if self._paged:
            changed, removed = (), ()
        self._publish.send(encode(Tick("synthetic", self._seq, snapshot, changed, removed)))

    def _answer(self, socket: zmq.Socket[bytes]) -> None:
        identity, frame = socket.recv_multipart()
        ask = decode_ask(frame)
        socket.send_multipart([identity, encode(Reply(ask.id, self._reply(ask)))])

    def _reply(self, ask: Ask) -> Answer:
        world = self._world
        match ask.request:
            case Hello():
                return Welcome("synthetic", world.snapshot().vitals, (MANAGER,), True)
            case GetFullState():
                rows = () if self._paged else tuple(world.rows.values())
                return FullState("synthetic", self._seq, world.snapshot(paged=self._paged), rows)
            case GetJobPage() as wanted:
                return make_page(list(world.rows.values()), wanted, world.now)
            case GetRows(task_ids=ids):
                rows = tuple(world.rows[task_id] for task_id in ids if task_id in world.rows)
                return JobPage(rows, len(rows), len(world.rows), world.now)
            case GetFailures() | GetGroups() | GetLanes() as costly:
                return self._count(costly)
            case GetEvents(after=after):
                events = demo_events(world.now, world.rows)
                return Events("synthetic", tuple(event for event in events if event.seq > after))
            case GetJob(task_id=task_id) if task_id in world.rows:
                row = world.rows[task_id]
                steps = (Transition(JobState.QUEUED, row.created), Transition(row.state, row.since))
                return Job(
                    JobRecord(row, client="quant-07", queue="pricing-spot", definition="w:41", transitions=steps)
                )
            case GetLogs(after=after):
                return self._log_page(after)
            case GetTrends(window=name):
                counts = {state: tuple(count + i for i in range(60)) for state, count in world.counts.items()}
                return Trends(name, world.now - 300, 5.0, counts)
            case Diagnose(manager=manager, task_id=task_id):
                return Diagnosed(without_capacity(world.now, task_id or f"queue {manager}"))
            case GetJob(task_id=task_id):
                return Refusal(f"no job {task_id}")
            case _:
                return Done("done")

    def _count(self, wanted: GetFailures | GetGroups | GetLanes) -> Answer:
        """Like an engine: of no more rows than one looks through, and not again before ten times what it took."""
        kind, begun = type(wanted).__name__, time.monotonic()
        before, answer, until = self._counted.get(kind, (None, None, 0.0))
        if answer is None or before != wanted or begun >= until:
            answer = self._counted_rows(wanted)
            took = time.monotonic() - begun
            self._counted[kind] = wanted, answer, begun + max(TICK_S, 10 * took)
        return answer

    def _counted_rows(self, wanted: GetFailures | GetGroups | GetLanes) -> Answer:
        rows, now = list(islice(self._world.rows.values(), ROWS_WITH_SLOTS)), self._world.now
        match wanted:
            case GetFailures():
                return failures_of_rows(rows, wanted, now)
            case GetGroups():
                return group_rows(rows, wanted, now)
            case GetLanes():
                return lanes_of_rows(rows, wanted, now)

    def _log_page(self, after: int) -> LogPage:
        first = max(after + 1, self._lines)
        rows = list(self._world.rows.values())[:20] if self._rate else []  # jobs that stand still write nothing
        texts = [f"INFO task {row.task_id[:8]} rc=0 wall=1.03s" for row in rows]
        lines = tuple(
            LogLine(first + i, self._world.now, row.task_id, text)
            for i, (row, text) in enumerate(zip(rows, texts, strict=True))
        )
        self._lines = first + len(lines)
        return LogPage("w", lines, self._lines - 1, 0, 1.1, 20, "streaming", LogStatus.STREAMING)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", default=MANAGER)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=1_000.0)
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with claim_folder(options.name) as claimed:
        engine = SyntheticEngine(World(options.jobs, now=time.time()), claimed.folder, options.rate)
        claimed.write_info((options.name,), "0.1.0")
        print("ready", flush=True)
        engine.serve()


if __name__ == "__main__":
    main(sys.argv[1:])
