"""Publisher of ticks: what is published when, and that nothing is made without subscribers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import zmq

from engine.telemetry.endpoints import Endpoint
from engine.telemetry.schema.messages import REPLICA_LIMIT, Tick
from engine.telemetry.schema.wire import decode_tick
from engine.telemetry.server.publisher import Publisher
from engine.telemetry.server.snapshot_builder import REPLICATED_AGAIN, SnapshotBuilder
from engine.telemetry.server.sockets import Sockets
from engine.telemetry.server.vitals import Vitals
from tests.support.engine.managed_tasks import Managed, begin, run
from tests.support.socket_places import short_folder


class Listening:
    """A publisher and one who listens, or doesn't."""

    def __init__(self, ended_kept: int = REPLICA_LIMIT) -> None:
        self.context = zmq.Context()
        self.managed = Managed(ended_kept=ended_kept)
        self.socket = self.context.socket(zmq.XPUB)
        self.socket.bind("inproc://ticks")
        self.publisher = Publisher("e1", SnapshotBuilder([self.managed], Vitals("0.1")), self.socket)
        self.listener = self.context.socket(zmq.SUB)
        self.listener.connect("inproc://ticks")

    def listen(self) -> None:
        self.listener.subscribe(b"")
        assert self.socket.poll(5000)

    def beat(self) -> Tick | None:
        self.publisher.publish_due()
        return decode_tick(self.listener.recv()) if self.listener.poll(0) else None


@pytest.fixture
def listening() -> Iterator[Listening]:
    listening = Listening()
    yield listening
    listening.context.destroy(linger=0)


def test_without_subscribers_numbers_go_up_and_no_viewer_is_noted(listening: Listening) -> None:
    for number in range(5):
        listening.managed.tasks.arrive(number)
        listening.publisher.publish_due()
    assert (listening.publisher.seq, listening.managed.introspection.viewer_notes) == (5, 0)
    assert not listening.managed.registry.has_changes


def test_every_beat_brings_a_tick_while_something_changes_and_every_other_one_while_not(listening: Listening) -> None:
    listening.listen()
    assert listening.beat() is not None
    quiet = [listening.beat() is not None for _ in range(4)]
    listening.managed.tasks.arrive(1)
    busy = listening.beat()
    assert quiet == [False, True, False, True]
    assert busy is not None
    assert len(busy.changed) == 1


def test_who_comes_back_to_whole_rows_sees_a_gap_and_fetches_them(listening: Listening) -> None:
    listening.listen()
    for number in range(REPLICA_LIMIT + 1):
        listening.managed.tasks.arrive(number)
    paged = listening.beat()
    for number in range(REPLICA_LIMIT + 1 - REPLICATED_AGAIN):
        listening.managed.tasks.leave(number)
    replicated = listening.beat()
    listening.managed.tasks.arrive(REPLICA_LIMIT + 2)
    after = listening.beat()
    assert paged is not None
    assert replicated is not None
    assert after is not None
    assert (paged.snapshot.paged, replicated.snapshot.paged) == (True, False)
    assert (replicated.seq - paged.seq, after.seq - replicated.seq) == (2, 1)


def test_just_below_the_limit_it_stays_paged(listening: Listening) -> None:
    listening.listen()
    for number in range(REPLICA_LIMIT + 1):
        listening.managed.tasks.arrive(number)
    listening.beat()
    for number in range(100):
        listening.managed.tasks.leave(number)
    tick = listening.beat()
    assert tick is not None
    assert tick.snapshot.paged


@pytest.mark.long
async def test_a_listener_that_stands_still_misses_ticks_instead_of_piling_them_up() -> None:
    managed = Managed()
    with short_folder() as folder:
        sockets = Sockets(Endpoint.ipc(folder), None)
        publisher = Publisher("e1", SnapshotBuilder([managed], Vitals("0.1")), sockets.publish)
        context = zmq.Context()
        listener = context.socket(zmq.SUB)
        listener.set(zmq.RCVHWM, 1)
        listener.connect(Endpoint.ipc(folder).publish)
        listener.subscribe(b"")
        assert sockets.publish.poll(5000)
        for beat in range(200):
            for number in range(300):
                managed.tasks.arrive(1000 * beat + number)
            publisher.publish_due()
        heard = 0
        while listener.poll(200):
            listener.recv()
            heard += 1
        context.destroy(linger=0)
        await sockets.close()
    assert 0 < heard < 100


def test_nothing_straggles_while_batch_does_not_tell_whether_it_has_ended(listening: Listening) -> None:
    managed = listening.managed
    for number in range(20):
        run(managed, number, 1.0)
    begin(managed, 100)
    managed.clock.now += 60
    builder = SnapshotBuilder([managed], Vitals("0.1"), clock=managed.clock)
    for stale, straggles in ((True, False), (False, True)):
        managed.introspection.states_stale = stale
        builder.sample_trends()
        assert any(row.straggles for row in managed.registry.rows()) is straggles
