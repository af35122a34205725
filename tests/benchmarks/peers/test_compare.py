"""What the comparison computes from its figures: fits, ratios, orders, the picture."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import defaultdict

import pytest

from tests.benchmarks.compare import Table, lines, note, parse, ratio, report, rotated
from tests.benchmarks.peers.growth import Growth, Line, Size
from tests.benchmarks.peers.growth_plot import plot
from tests.benchmarks.peers.measures import quantile
from tests.benchmarks.peers.sides import Side

GROWTH = Growth(tuple(Size(n, n / 100, 500 + 3.0 * n, 20 + n, 5, 80 + 0.001 * n) for n in (100, 1_000, 10_000)))


def table() -> Table:
    found: Table = defaultdict(lambda: defaultdict(list))
    for ours, peer in ((2.0, 4.0), (3.0, 4.0), (4.0, 16.0)):
        note(found, Side.OURS, {"p50 s": ours})
        note(found, Side.PEER, {"p50 s": peer})
    return found


def test_a_line_finds_what_is_fixed_and_what_grows() -> None:
    assert GROWTH.lines["cpu_ms"].fixed == pytest.approx(500)
    assert GROWTH.lines["cpu_ms"].slope == pytest.approx(3)


def test_one_size_is_taken_as_flat() -> None:
    assert Line.fit([(100.0, 250.0)]) == Line(0.0, 2.5)


def test_a_ratio_is_of_medians_with_the_spread_of_the_repetitions() -> None:
    assert ratio([2.0, 3.0, 4.0], [4.0, 4.0, 16.0]) == {"median": 0.75, "least": 0.25, "most": 0.75}


def test_there_is_no_ratio_to_nothing() -> None:
    assert ratio([1.0], [0.0]) is None
    assert ratio([1.0], []) is None


def test_every_repetition_begins_with_another_side() -> None:
    assert [rotated(list(Side), number)[0] for number in range(4)] == [Side.OURS, Side.PEER, Side.NATIVE, Side.OURS]


def test_the_report_has_values_medians_and_ratios() -> None:
    told = report(table())["p50 s"]
    assert (told["ours"]["median"], told["peer"]["values"]) == (3.0, [4.0, 4.0, 16.0])
    assert told["ratios"] == {"ours/peer": {"median": 0.75, "least": 0.25, "most": 0.75}}


def test_a_row_shows_medians_and_what_a_side_lacks() -> None:
    row = " ".join(lines(table())[1].split())
    assert row == "p50 s 3 (2 to 4) 4 (4 to 16) - 0.75 (0.25 to 0.75)"


def test_the_picture_is_xml_with_a_dot_a_size_and_figure() -> None:
    root = ET.fromstring(plot(GROWTH))
    assert len(root.findall("{http://www.w3.org/2000/svg}circle")) == 9


def test_quantiles_are_by_nearest_rank() -> None:
    spans = [float(number) for number in range(1, 21)]
    assert (quantile(spans, 0.5), quantile(spans, 0.95), quantile([7.0], 0.95)) == (11.0, 20.0, 7.0)


def test_sizes_of_the_issue_are_the_default() -> None:
    assert parse([]).sizes == [50, 500, 5_000, 20_000]
