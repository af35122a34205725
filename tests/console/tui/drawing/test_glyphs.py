"""Glyphs: one cell wide, and told apart without colour."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from console.tui.drawing.glyphs import ASCII, CHECK_LOOKS, LOOKS, UNICODE, VERDICT_LOOKS, Glyphs
from engine.telemetry.schema.messages import CheckStatus, JobState, VerdictKind
from engine.telemetry.schema.query import CODES


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_every_sign_is_one_cell_wide(glyphs: Glyphs) -> None:
    signs = [glyphs.of(state) for state in JobState] + [glyphs.of_check(result) for result in CheckStatus]
    signs += [glyphs.of_verdict(kind) for kind in VerdictKind]
    signs += [*glyphs.spark, *glyphs.bar_steps, *glyphs.frame, *glyphs.shades, glyphs.cursor, glyphs.mark, glyphs.stuck]
    signs += [glyphs.straggler, glyphs.untold]
    assert [sign for sign in signs if cell_len(sign) != 1] == []


def test_the_ascii_set_is_ascii() -> None:
    assert all(str(getattr(ASCII, name)).isascii() for name in Glyphs.__slots__)
    assert all(ASCII.of(state).isascii() for state in JobState)
    assert all(ASCII.of_check(result).isascii() for result in CheckStatus)


def test_states_can_be_told_apart_without_colour() -> None:
    for looks in ({look.sign for look in LOOKS.values()}, {look.ascii for look in LOOKS.values()}):
        assert len(looks) == len(JobState)
    assert {look.code: state for state, look in LOOKS.items()} == CODES


def test_results_of_checks_can_be_told_apart_without_colour() -> None:
    looks = CHECK_LOOKS.values()
    assert [len({getattr(look, name) for look in looks}) for name in ("sign", "ascii", "word")] == [
        len(CheckStatus)
    ] * 3


def test_every_kind_of_verdict_has_a_look_and_only_what_is_wrong_looks_so() -> None:
    assert set(VERDICT_LOOKS) == set(VerdictKind)
    assert all(UNICODE.of_verdict(kind) and ASCII.of_verdict(kind).isascii() for kind in VerdictKind)
    calm = {kind for kind, look in VERDICT_LOOKS.items() if look.role not in ("warning", "error", "unknown")}
    assert calm == {VerdictKind.HEALTHY, VerdictKind.PROGRESSING, VerdictKind.WAITING}
