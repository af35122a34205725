"""Groups of one worker manager's jobs by function, submission, client and reason, counted as jobs change.

A change costs constant time whatever the number of jobs, and ended jobs stay counted when their rows age out. What a
group of many jobs needs is small and bounded: counts, classes of durations, five minutes of slots.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Final, Protocol

from engine.causes import CauseKind, FailureCause
from engine.model import Demand, Price
from engine.telemetry.schema.groups import OTHERS, GroupBy
from engine.telemetry.schema.state import ENDED, JobState
from engine.telemetry.schema.usage import Remaining
from engine.telemetry.tally.durations import duration_class
from engine.telemetry.tally.fit import FitTally
from engine.telemetry.tally.group_tally import GroupTally, enter_job, leave_job, move_job
from engine.telemetry.tally.usage import Amount, Rate, UsageMeter, add_run, begin_run, drop_run, rate_of

MEASURED_RUN_S: Final = 1.0
"""A shorter run tells no cores: CPU seconds are of its whole process, whose start takes longer than the function."""
GROUPS_KEPT: Final = 2_000
"""Of each kind; then the one that ended longest ago becomes part of `OTHERS`."""

Keys = tuple[str, ...]
"""A job's key in each kind of group, in the order of `GroupBy`."""


class Groupable(Protocol):
    """Job as groups see it."""

    state: JobState
    since: float
    grouped: Grouped | None
    """Written by `JobGroups` alone."""

    def group_keys(self) -> Keys:
        """Keys of its groups."""

    @property
    def attempt(self) -> int:
        """Attempts begun."""

    @property
    def took_s(self) -> float | None:
        """How long its function ran; None until it has ended."""

    @property
    def peak_bytes(self) -> int:
        """Peak of its resident memory; 0: unknown."""

    @property
    def cpu_s(self) -> float:
        """CPU seconds of its function; 0: unknown."""

    @property
    def demand(self) -> Demand | None:
        """What its job gets; None: unknown."""


class Grouped:
    """What was counted of one job: so much is taken back when it changes."""

    __slots__ = ("amount", "attempt", "began", "place", "since", "state")

    def __init__(self, place: GroupPlace, job: Groupable) -> None:
        self.place = place
        self.state, self.since, self.attempt = job.state, job.since, job.attempt
        self.amount: Amount = 0j if job.demand is None else job.demand.amount
        self.began: float | None = None
        """When the run began that is being counted; it goes on while the job is out of sight."""


class GroupPlace:
    """The groups of all jobs with the same keys, and how many of these are in memory."""

    __slots__ = ("groups", "jobs", "keys", "meters")

    def __init__(self, keys: Keys, groups: tuple[GroupTally, ...], total: UsageMeter) -> None:
        self.keys, self.jobs = keys, 0
        self.place_in(groups, total)

    def place_in(self, groups: tuple[GroupTally, ...], total: UsageMeter) -> None:
        """Set the groups; what the jobs use counts in each of them and in `total`."""
        self.groups = groups
        self.meters = (total, *(group.usage for group in groups))


class JobGroups:
    """All groups of one worker manager. Times are seconds since the epoch."""

    def __init__(self, kept: int = GROUPS_KEPT) -> None:
        self._kept = kept
        self._groups: tuple[dict[str, GroupTally], ...] = tuple({} for _ in GroupBy)
        self._ended: tuple[OrderedDict[str, None], ...] = tuple(OrderedDict() for _ in GroupBy)
        """Keys of groups in which nothing lives, the longest ended first."""
        self._places: dict[Keys, GroupPlace] = {}
        self.total = UsageMeter()
        """Of all jobs."""
        self._price = Price()

    # ---- what happens

    def update(self, job: Groupable, now: float) -> None:
        """Count a job that came or changed."""
        was, keys = job.grouped, job.group_keys()
        if was is None:
            grouped = job.grouped = self._enter(job, keys, now)
            self._follow_run(job, grouped, None)
            return
        began = was.began
        if was.place.keys != keys:
            self._leave(was, now)
            self._drop(was.place)
            grouped = job.grouped = self._enter(job, keys, now)
            self._follow_run(job, grouped, began)
        elif was.state is not job.state or was.since != job.since:
            move_job(was.place.groups, was.state, was.since, job.state, job.since, now)
            if began is not None or job.state is JobState.RUNNING:
                if began is not None:
                    drop_run(was.place.meters, was.amount, began)
                self._follow_run(job, was, began)
            if job.state in ENDED:
                self._note_ended(was.place)
        elif was.attempt == job.attempt:
            return
        if job.state is not was.state and job.state in ENDED:
            self._end(job, was)
            if began is None and (took_s := job.took_s):
                self._use(job, took_s)
        self._count_retries(job, was)

    def forget(self, job: Groupable, now: float) -> None:
        """Take a job back, as if it had never been here."""
        if job.grouped is not None:
            self._leave(job.grouped, now)
            self._drop(job.grouped.place)
            job.grouped = None

    def release(self, job: Groupable) -> None:
        """Let go of an ended job whose row ages out: it stays counted."""
        if job.grouped is not None:
            self._drop(job.grouped.place)
            job.grouped = None

    def use_price(self, price: Price, now: float) -> None:
        """Count money by this price from now on; what was used before the first one is counted by that."""
        if price == self._price:
            return
        before, self._price = self._price, price
        rate = _rate_of(before)
        if rate is not None and rate != _rate_of(price):
            for meter in (self.total, *(group.usage for groups in self._groups for group in groups.values())):
                meter.settle(now, rate)

    # ---- what is asked

    @property
    def rate(self) -> Rate | None:
        """Price by which money is counted; None: unknown."""
        return _rate_of(self._price)

    def remaining(self, now: float, *, more: bool) -> Remaining | None:
        """What all jobs will use until they are done: the sum over their functions; None where nothing is foretold."""
        living = [group for group in self._groups[_FUNCTION].values() if group.meter.living]
        foretold = [group.remaining(now, self.rate, more=more) for group in living]
        known = [one for one in foretold if one is not None]
        if not known:
            return None
        has_money = self.rate is not None
        return Remaining(
            low_vcpu_s=sum(one.low_vcpu_s for one in known),
            high_vcpu_s=sum(one.high_vcpu_s for one in known),
            low_money=sum(one.low_money or 0.0 for one in known) if has_money else None,
            high_money=sum(one.high_money or 0.0 for one in known) if has_money else None,
            more=more or len(known) < len(foretold),
        )

    def find(self, by: GroupBy, key: str) -> GroupTally | None:
        """Find one group."""
        return self._groups[_PLACES[by]].get(key)

    def all(self, by: GroupBy) -> Iterator[GroupTally]:
        """All groups of one kind that have jobs."""
        return (group for group in self._groups[_PLACES[by]].values() if any(group.counts.values()))

    # ---- inside

    def _enter(self, job: Groupable, keys: Keys, now: float) -> Grouped:
        place = self._place(keys, now)
        place.jobs += 1
        enter_job(place.groups, job.state, job.since, now)
        self._note_ended(place)
        return Grouped(place, job)

    def _leave(self, was: Grouped, now: float) -> None:
        groups = tuple(self._current(was.place))
        leave_job(groups, was.state, was.since, now)
        if was.began is not None:
            drop_run((self.total, *(group.usage for group in groups)), was.amount, was.began)
        self._note_ended(was.place)

    def _end(self, job: Groupable, was: Grouped) -> None:
        took_s, peak_bytes = job.took_s, job.peak_bytes
        self._count_fit(job, took_s)
        ran_s = job.since - was.since if was.state is JobState.RUNNING else took_s
        took, ran = duration_class(took_s), duration_class(ran_s)
        assert job.grouped is not None
        for group in job.grouped.place.groups:
            if ran is not None:
                group.runs.count_in(ran)
            if took is not None:
                group.tooks.count_in(took)
                group.peak_bytes = max(group.peak_bytes, peak_bytes)
            if ran_s is not None and was.state is not JobState.RUNNING:
                group.meter.add_unseen(ran_s)

    def _follow_run(self, job: Groupable, grouped: Grouped, began: float | None) -> None:
        """Count the run that began at `began`, if any, where its job is now: as one that goes on, or is over."""
        state, grouped.began = job.state, None
        if state is JobState.RUNNING or (began is not None and state is JobState.UNKNOWN):
            grouped.began = job.since if began is None else began
            begin_run(grouped.place.meters, grouped.amount, grouped.began)
        elif began is not None:
            self._use(job, job.since - began)

    def _use(self, job: Groupable, seconds: float) -> None:
        """Count a run that is over, where its job is now: with the cause of its failure, too."""
        assert job.grouped is not None
        meters = job.grouped.place.meters
        if job.demand is None:
            for meter in meters:
                meter.unmeasured += 1
        else:
            add_run(meters, job.grouped.amount, seconds, wasted=job.state is not JobState.SUCCEEDED)

    def _count_fit(self, job: Groupable, took_s: float | None) -> None:
        assert job.grouped is not None
        place, demand, peak_bytes = job.grouped.place, job.demand, job.peak_bytes
        fit = place.groups[_FUNCTION].fit
        if fit is None:
            return
        if place.keys[_REASON] == _OUT_OF_MEMORY:
            fit.add_exhausted()
        elif demand is not None and peak_bytes and job.state is JobState.SUCCEEDED:
            cores = job.cpu_s / took_s if took_s and took_s >= MEASURED_RUN_S and job.cpu_s else None
            fit.add(demand.vcpus, demand.gib, peak_bytes, cores)

    def _count_retries(self, job: Groupable, was: Grouped) -> None:
        grouped, attempt = job.grouped, job.attempt
        assert grouped is not None
        grouped.state, grouped.since = job.state, job.since
        if attempt > max(1, was.attempt):
            for group in grouped.place.groups:
                group.retries += attempt - max(1, was.attempt)
        grouped.attempt = max(attempt, was.attempt)

    def _place(self, keys: Keys, now: float) -> GroupPlace:
        place = self._places.get(keys)
        if place is None:
            place = self._places[keys] = GroupPlace(keys, self._find(keys, now), self.total)
        elif any(group.folded for group in place.groups):
            place.place_in(self._find(keys, now), self.total)
        return place

    def _find(self, keys: Keys, now: float) -> tuple[GroupTally, ...]:
        return tuple(self._group(kind, key, now) for kind, key in enumerate(keys))

    def _group(self, kind: int, key: str, now: float) -> GroupTally:
        groups, ended = self._groups[kind], self._ended[kind]
        if key in groups:
            return groups[key]
        if len(groups) >= self._kept:
            others = groups.setdefault(OTHERS, GroupTally(OTHERS, now))
            if not ended:  # so many live at once: these can't be told apart
                return others
            others.fold(groups.pop(ended.popitem(last=False)[0]))
        group = groups[key] = GroupTally(key, now)
        if kind == _FUNCTION:
            group.fit = FitTally()
        return group

    def _current(self, place: GroupPlace) -> Iterator[GroupTally]:
        """Groups of a place; of one that was folded, those that it became part of."""
        for kind, group in enumerate(place.groups):
            yield self._groups[kind][OTHERS] if group.folded else group

    def _note_ended(self, place: GroupPlace) -> None:
        for ended, group in zip(self._ended, place.groups, strict=True):
            if group.meter.living:
                ended.pop(group.key, None)
            elif group.key != OTHERS and not group.folded:
                ended[group.key] = None

    def _drop(self, place: GroupPlace) -> None:
        place.jobs -= 1
        if not place.jobs:
            self._places.pop(place.keys, None)


_PLACES: Final = {by: place for place, by in enumerate(GroupBy)}
_FUNCTION: Final = _PLACES[GroupBy.FUNCTION]
_REASON: Final = _PLACES[GroupBy.REASON]
_OUT_OF_MEMORY: Final = FailureCause(CauseKind.OUT_OF_MEMORY).signature


def _rate_of(price: Price) -> Rate | None:
    return rate_of(price.vcpu_hour, price.gib_hour)
