"""Top bar: one light, the worst of the link to the engine and of what the engine lives from."""

from __future__ import annotations

import pytest

from console.tui.widgets.top_bar import PARTS, BarState, TopBar
from engine.telemetry.client.source import LinkState, LinkView
from engine.telemetry.schema.messages import Light, LightState, LinkId
from tests.support.console.single_pane import draw_pane

LIVE, LOST = LinkView(LinkState.LIVE, 0.0), LinkView(LinkState.LOST, 0.0, "ENGINE LOST 10:48:31")
DOWN = Light(LightState.DOWN, LinkId.SCHEDULER, "scheduler", 1.0, "no echo")
SLOW = Light(LightState.DEGRADED, LinkId.BATCH, "AWS Batch reads", 1.0, "throttled")


@pytest.mark.parametrize(
    ("link", "light", "width", "says"),
    [
        (LIVE, Light(), 120, "● LIVE"),
        (LIVE, DOWN, 120, "▲ SCHEDULER DOWN 38s"),
        (LIVE, SLOW, 120, "▲ BATCH READS DEGRADED 38s"),
        (LIVE, Light(LightState.DEGRADED, LinkId.BUDGET, "budget", 1.0), 120, "▲ BUDGET SPENT 38s"),
        (LIVE, DOWN, 80, "▲ SCHEDULER DOWN "),
        (LOST, DOWN, 120, "ENGINE LOST 10:48:31"),
    ],
)
async def test_the_light_is_live_only_when_everything_is(link: LinkView, light: Light, width: int, says: str) -> None:
    bar = TopBar()
    state = BarState(link=link, light=light, light_age_s=38.0, age_s=0.5)
    [line] = await draw_pane(bar, lambda: bar.show(state), width, 1)
    assert says in line
    assert ("LIVE" in line) == (says == "● LIVE")


def test_each_part_of_the_light_has_a_name_that_fits_the_bar() -> None:
    assert set(PARTS) == set(LinkId)
    assert max(map(len, PARTS.values())) <= 11
