"""Consoles that stand still: the made-up engine, a clock that never moves, and what may be wrong with either."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from textual.command import CommandPalette
from textual.pilot import Pilot

from console.tui.app import ConsoleApp
from console.tui.drawing.glyphs import UNICODE, Glyphs
from console.tui.preferences import Preferences
from console.tui.screens.dashboard import Dashboard
from console.tui.screens.replay import ReplayDashboard
from console.tui.stack.model import Provisioning
from console.tui.state import ConsoleState, EngineOwnership, Quit
from engine.telemetry.client.replay import ReplaySource
from engine.telemetry.client.replica import Replica
from engine.telemetry.client.source import LinkState, LinkView, Source
from engine.telemetry.recording import Recorder, Recording
from engine.telemetry.schema.messages import (
    Answer,
    Budget,
    BudgetView,
    CodeView,
    Fit,
    FullState,
    GroupBy,
    Groups,
    IdleHosts,
    Job,
    JobGroup,
    JobRow,
    JobState,
    Link,
    LinkId,
    Price,
    Quota,
    QuotaId,
    Request,
    Usage,
)
from tests.support.console.demo.source import MANAGER, STARTED_AT, DemoSource
from tests.support.console.widget_app import Clock

JOBS = 1_000
BEATS = 2
"""Until everything that is asked at the start was answered and shown."""
RECORDED_S = 90
Step = Callable[[ConsoleApp, Pilot[Quit]], None]


@dataclass(slots=True)
class Look:
    """Setup of a console for a picture."""

    source: Source
    glyphs: Glyphs = UNICODE
    theme: str = "dark"
    group_by: str = "job"
    own: EngineOwnership | None = None
    provisioning: Provisioning | None = None
    first: Callable[[ConsoleState], Dashboard] = Dashboard
    name: str = MANAGER
    clock: Callable[[], float] = field(default_factory=Clock)

    others: Mapping[str, Source] = field(default_factory=dict)
    """Further engines by name."""

    def app(self) -> ConsoleApp:
        state = self._state(self.name, self.source)
        state.own, state.provisioning = self.own, self.provisioning
        return ConsoleApp(state, first=self.first, others=[self._state(*other) for other in self.others.items()])

    def _state(self, name: str, source: Source) -> ConsoleState:
        settings = Preferences(theme=self.theme, group_by=self.group_by)
        state = ConsoleState(source, name, settings, glyphs=self.glyphs)
        state.time_of_day, state.clock = lambda: STARTED_AT, self.clock
        return state


def demo(jobs: int = JOBS, *, may_control: bool = False, managers: tuple[str, ...] = (MANAGER,)) -> DemoSource:
    return DemoSource(jobs, 0, clock=Clock(), may_control=may_control, managers=managers)


def stale() -> DemoSource:
    return _with_link(LinkState.STALE, "STALE 14 s")


def lost() -> DemoSource:
    return _with_link(LinkState.LOST, "ENGINE LOST 10:48:31, retry in 4 s")


def _with_link(state: LinkState, detail: str) -> DemoSource:
    source = demo()
    source.link = LinkView(state, 0.0, detail)
    return source


def unanswered() -> DemoSource:
    """Demo source that answers no request."""
    source = demo()
    source.take_answers = list  # type: ignore[method-assign]
    return source


def connecting() -> DemoSource:
    """Nothing was heard so far, and nothing is answered."""
    source = demo()
    source.replica, source.link = Replica(), LinkView(LinkState.CONNECTING, 0.0, "CONNECTING, try 3")
    source.take_answers = list  # type: ignore[method-assign]
    return source


def paused() -> DemoSource:
    """AWS lets nothing in."""
    return _with_manager(paused="ExpiredTokenException: the credentials expired at 10:41:07")


def _links(now: float) -> tuple[Link, ...]:
    """Links of which the scheduler's is down and AWS Batch can hardly be read."""
    return (
        Link("scheduler", False, now - 38, "nothing heard", id=LinkId.SCHEDULER, heard_at=now - 38),
        Link("object storage", True, now - 900, "tcp://hpc-01:2346", id=LinkId.OBJECT_STORAGE, heard_at=now - 9),
        Link("AWS credentials", True, now - 900, "eu-west-1", now + 3_000, LinkId.CREDENTIALS),
        Link("S3", True, now - 900, "eu-west-1", id=LinkId.S3, heard_at=now - 1),
        Link("lease", True, now - 900, "renewed", id=LinkId.LEASE, heard_at=now - 2),
        Link("AWS Batch reads", True, now - 12, "AWS throttles ListJobs", None, LinkId.BATCH, True, now - 40),
        Link("submitting", True, now - 900, "allowed", id=LinkId.SUBMITS),
    )


def troubled() -> DemoSource:
    """The scheduler is gone, AWS Batch can hardly be read, jobs wait behind one for which there is no place."""
    now = STARTED_AT
    reason = "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - Service cannot fulfill the capacity requested"
    blocked: dict[str, object] = {"blocked": 175, "stuck": 5, "stuck_reason": reason}
    return _with_manager(links=_links(now), states_at=now - 40, states_stale=True, failed_acknowledged=1, **blocked)


def spending() -> DemoSource:
    """The budget of 50 is spent; what groups cost and how their memory fits is known."""
    now = STARTED_AT
    usage = Usage(3.6e6, 7.2e6, 1.4e5, 2.8e5, 480.0, 960.0, 50.31, 1.96, 23.9)
    links = (Link("budget", True, now - 184, "the budget of 50.00 is spent", id=LinkId.BUDGET, degraded=True),)
    cost = Quota("cost", 50.31, 50.0, "money", "engine", now, note="23.90 an hour, 1.96 wasted", id=QuotaId.BUDGET)
    source = _with_manager(
        links=links,
        usage=usage,
        price=Price(0.0384, 0.0043, 0.031, 0.062, 24, "EC2 Spot price history", now - 900),
        budget=BudgetView(Budget(50.0), 50.31, True),
        quotas=(cost, Quota("slots", 240, 2_000, "slots", "engine", now)),
    )
    answer = source._answers.answer

    def with_costs(request: Request, now: float) -> Answer:
        found = answer(request, now)
        if not isinstance(found, Groups) or found.by != GroupBy.FUNCTION:
            return found
        return msgspec.structs.replace(found, groups=tuple(map(_costly, found.groups)))

    source._answers.answer = with_costs  # type: ignore[method-assign]
    return source


def packed() -> DemoSource:
    """Every job that is asked about runs 25 tasks, of which the asked one is the third."""
    source = demo(may_control=True)
    answer = source._answers.answer

    def with_pack(request: Request, now: float) -> Answer:
        found = answer(request, now)
        if not isinstance(found, Job):
            return found
        row = msgspec.structs.replace(found.record.row, array_size=40, asks_unknown=True)
        record = msgspec.structs.replace(found.record, row=row, pack_place=3, pack_tasks=25, submission_tasks=1_000)
        return Job(record)

    source._answers.answer = with_pack  # type: ignore[method-assign]
    return source


def healthy() -> DemoSource:
    """All links are well; jobs have code of the user's own; hosts stood idle, which wasn't seen all the time."""
    now = STARTED_AT
    money: dict[str, object] = {
        "usage": Usage(3.6e6, 7.2e6, 1.4e5, 2.8e5, 480.0, 960.0, 50.31, 1.96, 23.9),
        "price": Price(0.0384, 0.0043, 0.031, 0.062, 24, "EC2 Spot price history", now - 900),
        "idle_vcpus": 48.0,
        "idle_hosts": IdleHosts(64_800.0, 9_120.0, 10_800.0, 0.69),
    }
    code = CodeView("99b81179a33f" + "0" * 52, STARTED_AT - 340, 37, 412_345)
    well = [msgspec.structs.replace(link, up=True, degraded=False, detail=link.name) for link in _links(STARTED_AT)]
    return _with_manager(links=tuple(well), code=code, budget=BudgetView(Budget(80.0), 50.31, False), **money)


def _costly(group: JobGroup) -> JobGroup:
    seconds = group.jobs * 130.0
    usage = Usage(seconds, 2 * seconds, 0.0, 0.0, 60.0, 120.0, seconds * 4e-4, 0.0, 2.8)
    fit = Fit(group.jobs, 1843, 212, 236, 1.0, 0.42, 512)
    return msgspec.structs.replace(group, usage=usage, fit=fit)


def _with_manager(**changes: object) -> DemoSource:
    source = demo()
    snapshot = source.replica.snapshot
    assert snapshot is not None
    [manager] = snapshot.managers
    snapshot = msgspec.structs.replace(snapshot, managers=(msgspec.structs.replace(manager, **changes),))
    source.replica.replace(FullState("demo", 0, snapshot, tuple(source.rows.values())), source.replica.received_at)
    return source


def recorded(folder: Path) -> Look:
    """A minute and a half of a made-up engine, stopped in its middle."""
    clock, recorder = Clock(), Recorder(folder / "night.rec")
    source = DemoSource(300, 40, clock=clock)
    for _ in range(RECORDED_S):
        clock.now += 1
        source.poll()
        _record(recorder, source)
    recorder.close()
    player = ReplaySource(Recording(folder / "night.rec"), clock=Clock())
    player.pause()
    player.seek(player.recording.start + RECORDED_S / 2)
    return Look(player, first=lambda state: ReplayDashboard(state, player), name="night.rec")


def _record(recorder: Recorder, source: DemoSource) -> None:
    from engine.telemetry.schema.messages import Tick

    replica = source.replica
    assert replica.snapshot is not None
    rows = tuple(replica.rows.values())
    tick = Tick("demo", replica.seq, replica.snapshot, rows)
    recorder.record(tick, lambda: FullState("demo", replica.seq, tick.snapshot, rows))


def first_of(source: DemoSource, state: JobState) -> JobRow:
    return next(row for row in source.rows.values() if row.state is state)


def own_engine(*, tied: bool = False) -> EngineOwnership:
    return EngineOwnership(lambda: "", tied)


async def settle(pilot: Pilot[Quit]) -> None:
    """Until what was asked is answered and drawn."""
    app = pilot.app
    assert isinstance(app, ConsoleApp)
    await pilot.pause()
    if isinstance(app.screen, CommandPalette):
        await app.workers.wait_for_complete([one for one in app.workers if one.node is app.screen])
    for _ in range(BEATS):
        app.top_screen.beat(app.state.source.poll() or True)
        await pilot.pause()
