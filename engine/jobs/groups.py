"""Groups of one worker manager's jobs by function, submission, client and reason, counted as jobs change.

A change costs constant time whatever the number of jobs, and ended jobs stay counted when their rows age out. What a
group of many jobs needs is small and bounded: counts, classes of durations, five minutes of slots.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Final, Protocol

from engine.telemetry.schema.groups import OTHERS, GroupBy
from engine.telemetry.schema.state import ENDED, JobState
from engine.telemetry.tally.durations import duration_class
from engine.telemetry.tally.group_tally import GroupTally

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


class Grouped:
    """What was counted of one job: so much is taken back when it changes."""

    __slots__ = ("attempt", "place", "since", "state")

    def __init__(self, place: GroupPlace, job: Groupable) -> None:
        self.place = place
        self.state, self.since, self.attempt = job.state, job.since, job.attempt


class GroupPlace:
    """The groups of all jobs with the same keys, and how many of these are in memory."""

    __slots__ = ("groups", "jobs", "keys")

    def __init__(self, keys: Keys, groups: tuple[GroupTally, ...]) -> None:
        self.keys, self.groups, self.jobs = keys, groups, 0


class JobGroups:
    """All groups of one worker manager. Times are seconds since the epoch."""

    def __init__(self, kept: int = GROUPS_KEPT) -> None:
        self._kept = kept
        self._groups: tuple[dict[str, GroupTally], ...] = tuple({} for _ in GroupBy)
        self._ended: tuple[OrderedDict[str, None], ...] = tuple(OrderedDict() for _ in GroupBy)
        """Keys of groups in which nothing lives, the longest ended first."""
        self._places: dict[Keys, GroupPlace] = {}

    # ---- what happens

    def update(self, job: Groupable, now: float) -> None:
        """Count a job that came or changed."""
        was, keys = job.grouped, job.group_keys()
        if was is None:
            job.grouped = self._enter(job, keys, now)
            return
        if was.place.keys != keys:
            self._leave(was, now)
            self._drop(was.place)
            job.grouped = self._enter(job, keys, now)
        elif was.state is not job.state or was.since != job.since:
            for group in was.place.groups:
                group.move(was.state, was.since, job.state, job.since, now)
            if job.state in ENDED:
                self._note_ended(was.place)
        elif was.attempt == job.attempt:
            return
        if job.state is not was.state and job.state in ENDED:
            self._end(job, was)
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

    # ---- what is asked

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
        for group in place.groups:
            group.enter(job.state, job.since, now)
        self._note_ended(place)
        return Grouped(place, job)

    def _leave(self, was: Grouped, now: float) -> None:
        for group in self._current(was.place):
            group.leave(was.state, was.since, now)
        self._note_ended(was.place)

    def _end(self, job: Groupable, was: Grouped) -> None:
        took_s, peak_bytes = job.took_s, job.peak_bytes
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
            place = self._places[keys] = GroupPlace(keys, self._find(keys, now))
        elif any(group.folded for group in place.groups):
            place.groups = self._find(keys, now)
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
