"""The light: the worst of what a manager lives from, and of equals the one that others follow from."""

from __future__ import annotations

import pytest

from engine.model import Link, LinkId, LinkTrouble
from engine.telemetry.schema.light import REMEDIES, TROUBLE_REMEDIES, LightState, light_of, worst_light


def link(id: LinkId, *, up: bool = True, degraded: bool = False, trouble: str = "") -> Link:
    return Link(id.value, up, 5.0, f"{id} says", id=id, degraded=degraded, trouble=trouble)


ALL_UP = [link(id) for id in LinkId]


def test_all_links_up_is_ok() -> None:
    assert light_of(ALL_UP).state is LightState.OK


@pytest.mark.parametrize("id", list(LinkId))
def test_any_one_link_that_is_down_turns_the_light_and_is_named_with_its_cause_and_remedy(id: LinkId) -> None:
    light = light_of([one if one.id != id else link(id, up=False) for one in ALL_UP])
    assert (light.state, light.part, light.since, light.cause) == (LightState.DOWN, id, 5.0, f"{id} says")
    assert light.remedy == REMEDIES[id]


def test_a_link_that_works_badly_is_less_than_one_that_is_down() -> None:
    bad = link(LinkId.CREDENTIALS, degraded=True)
    assert light_of([bad]).state is LightState.DEGRADED
    light = light_of([bad, link(LinkId.BATCH, up=False)])
    assert (light.state, light.part, light.others) == (LightState.DOWN, LinkId.BATCH, 1)


def test_of_several_the_one_that_others_follow_from_is_told() -> None:
    down = [link(id, up=False) for id in (LinkId.BATCH, LinkId.LEASE, LinkId.CREDENTIALS, LinkId.S3)]
    assert (light_of(down).part, light_of(down).others) == (LinkId.CREDENTIALS, 3)


def test_what_is_wrong_with_credentials_decides_what_to_do() -> None:
    light = light_of([link(LinkId.CREDENTIALS, up=False, trouble=LinkTrouble.WRONG_CLOCK)])
    assert light.remedy == TROUBLE_REMEDIES[LinkTrouble.WRONG_CLOCK]


def test_a_pause_of_an_older_engine_whose_links_are_up_is_no_green_light() -> None:
    light = light_of([Link("AWS", True, 0.0)], paused="the queue takes no jobs")
    assert (light.state, light.cause) == (LightState.DOWN, "the queue takes no jobs")


def test_the_worst_of_several_managers_is_theirs_together() -> None:
    down = light_of([link(LinkId.S3, up=False)])
    assert worst_light([light_of(ALL_UP), down]) == down
    assert worst_light([]).state is LightState.OK
