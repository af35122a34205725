"""Light of a worker manager: the worst of all that it lives from, with its cause, since when, and what to do.

One rule for the engine, which publishes it, and for viewers of an engine or a recording too old to do so. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from engine.model import Link, LinkId, LinkTrouble


class LightState(StrEnum):
    """How well a worker manager can work."""

    OK = "ok"
    DEGRADED = "degraded"
    """It works, badly, or will stop to."""
    DOWN = "down"
    """What it needs is not there: work waits."""

    @property
    def level(self) -> int:
        """0 ok, 1 degraded, 2 down: the higher is the worse."""
        return tuple(LightState).index(self)


class Light(msgspec.Struct, frozen=True):
    """State of the worst part."""

    state: LightState = LightState.OK
    part: str = ""
    """The `LinkId` that it is about; empty while all is well, and for a link that has none."""
    name: str = ""
    """The part's name for people."""
    since: float | None = None
    """Since when, seconds since the epoch; None while all is well."""
    cause: str = ""
    """What is wrong, in words."""
    remedy: str = ""
    """What to do, in words."""
    trouble: str = ""
    """A `LinkTrouble` of credentials; empty otherwise."""
    others: int = 0
    """Other parts that are not well."""


REMEDIES: Final[Mapping[str, str]] = {
    LinkId.CREDENTIALS: "renew them where the engine finds them (aws sso login, a new key): it goes on by itself",
    LinkId.SCHEDULER: "check that scaler_scheduler runs there and can be reached: the engine connects by itself",
    LinkId.OBJECT_STORAGE: "check that Scaler's object storage runs there: tasks and results wait for it",
    LinkId.S3: "check the bucket and the way to S3: payloads and results wait, nothing fails",
    LinkId.LEASE: "check the bucket and the way to S3: nothing is changed until the lease is renewed",
    LinkId.BATCH: "states of jobs are as of then until AWS Batch answers: check the way to it, and its limits",
    LinkId.SUBMITS: "allow it again: what waits is submitted then, nothing fails",
    LinkId.BUDGET: "allow more: :budget AMOUNT in the console, or scaler-batch budget AMOUNT; what runs goes on",
}
TROUBLE_REMEDIES: Final[Mapping[str, str]] = {
    LinkTrouble.EXPIRED: REMEDIES[LinkId.CREDENTIALS],
    LinkTrouble.REFUSED: "give the engine credentials that AWS takes, where it finds them: it goes on by itself",
    LinkTrouble.UNREADABLE: "check the profile and what it reads credentials from: it goes on by itself",
    LinkTrouble.NOT_WANTED: "start scaler_scheduler with a --policy that scales, or this engine with --join always",
    LinkTrouble.WRONG_CLOCK: "set this machine's clock: AWS takes requests of the last five minutes only",
}
"""Where it is known what is wrong."""
_ORDER: Final = [id.value for id in LinkId]


def light_of(links: Sequence[Link], paused: str = "") -> Light:
    """Light of a manager with these links; `paused` says why nothing can be submitted, empty while all is well."""
    bad = [link for link in links if not link.up or link.degraded]
    if paused and all(link.up for link in links):  # an engine of an older release names no link for it
        return Light(LightState.DOWN, LinkId.SUBMITS, "submitting", None, paused, REMEDIES[LinkId.SUBMITS])
    if not bad:
        return Light()
    worst = min(bad, key=lambda link: (link.up, _place(link.id)))
    state = LightState.DEGRADED if worst.up else LightState.DOWN
    remedy = TROUBLE_REMEDIES.get(worst.trouble) or REMEDIES.get(worst.id, "")
    return Light(state, worst.id, worst.name, worst.since, worst.detail, remedy, worst.trouble, len(bad) - 1)


def worst_light(lights: Iterable[Light]) -> Light:
    """The worst of several; of equals the one that others may follow from."""
    return min(lights, key=lambda light: (-light.state.level, _place(light.part)), default=Light())


def _place(id: str) -> int:
    return _ORDER.index(id) if id in _ORDER else len(_ORDER)
