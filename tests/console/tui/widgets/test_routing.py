"""Routing pane: shares, percentiles and the line for small screens."""

from __future__ import annotations

import pytest

from console.tui.widgets.routing import RoutingPane
from engine.telemetry.schema.messages import (
    RouteStats,
)
from tests.support.console.single_pane import draw_pane, manager_view, snapshot_of

ROUTES = (
    RouteStats("inline", 7_012, 100, 59_000_000, 59_000_000, 8_000, 16_384),
    RouteStats("inline-gzip", 2_046, 50, 30_000_000, 11_000_000, 15_000, 23_000),
    RouteStats("s3", 754, 0, 3_400_000_000, 3_400_000_000),
)


async def test_routes_have_shares_that_add_to_a_hundred() -> None:
    pane = RoutingPane()
    lines = await draw_pane(
        pane, lambda: pane.show(snapshot_of(manager_view(routes=ROUTES, inline_limit=24_576))), 44, 12
    )
    assert [line.split()[1:4] for line in lines[2:5]] == [
        ["inline", "7,012", "71%"],
        ["gzip", "2,046", "21%"],
        ["s3", "754", "8%"],
    ]
    assert "inline p95 22K of 24K" in lines[6]


async def test_a_route_without_recent_jobs_has_no_percentile() -> None:
    pane = RoutingPane()
    lines = await draw_pane(pane, lambda: pane.show(snapshot_of(manager_view(routes=ROUTES))), 60, 12)
    assert "–" in lines[4]


async def test_one_line_of_routes_for_small_screens() -> None:
    pane = RoutingPane()
    lines = await draw_pane(pane, lambda: pane.show(snapshot_of(manager_view(routes=ROUTES))), 80, 1)
    assert lines[0].rstrip() == " route inline 71% 7.0k 56M · gzip 21% 2.0k 29M · s3 8% 754 3.2G"


@pytest.mark.parametrize(("stale", "told"), [(False, "14s"), (True, "STALE")])
async def test_one_line_of_routes_says_how_old_it_is(stale: bool, told: str) -> None:
    pane = RoutingPane()
    snapshot = snapshot_of(manager_view(routes=ROUTES))
    for width in (40, 80):
        lines = await draw_pane(pane, lambda: pane.show(snapshot, age_s=14.0, stale=stale), width, 1)
        assert lines[0].startswith(" route inline 71% 7.0k 56M")
        assert lines[0].endswith(f"  {told} ")
