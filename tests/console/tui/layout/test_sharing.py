"""Lines of a screen that panes share: by what they have to show, the first ones first, and none left over."""

from __future__ import annotations

import pytest

from console.tui.layout.sharing import share_lines


@pytest.mark.parametrize(
    ("room", "wanted", "shares"),
    [
        (38, (6, 9, 15, 0), [6, 9, 15, 8]),
        (30, (6, 9, 15, 0), [6, 9, 9, 6]),
        (38, (4, 5, 30, 0), [4, 5, 23, 6]),
        (10, (6, 9, 15, 0), [4, 5, 9, 6]),
    ],
    ids=["room for all", "the first ones first", "the last keeps its least", "never below the least"],
)
def test_panes_get_what_they_have_to_show_and_the_last_one_the_rest(
    room: int, wanted: tuple[int, ...], shares: list[int]
) -> None:
    assert share_lines(room, (4, 5, 9, 6), wanted) == shares
