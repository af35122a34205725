"""Signs, themes, numbers and foreign text: readable everywhere, harmless always."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from textual._ansi_theme import ALABASTER, MONOKAI

from console import format
from console.tui.drawing.charts import bar, spark, stacked
from console.tui.drawing.glyphs import ASCII, CHECK_LOOKS, LOOKS, UNICODE, VERDICT_LOOKS, Glyphs
from console.tui.drawing.spans import clean, fit, fit_line, line_width, plain, spread, width
from console.tui.drawing.theme import DARK_BACKGROUND, LIGHT_BACKGROUND, PALETTES, THEMES, styles_of
from console.tui.drawing.wrapping import folded
from engine.telemetry.schema.messages import CheckStatus, JobState, VerdictKind
from engine.telemetry.schema.query import CODES

READABLE = 4.5
DECORATION = {"frame", "free"}
"""Lines and empty parts of bars: nothing is read from them."""

# ---- signs and themes


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_every_sign_is_one_cell_wide(glyphs: Glyphs) -> None:
    signs = [glyphs.of(state) for state in JobState] + [glyphs.of_check(result) for result in CheckStatus]
    signs += [glyphs.of_verdict(kind) for kind in VerdictKind]
    signs += [*glyphs.spark, *glyphs.bar_steps, *glyphs.frame, *glyphs.shades, glyphs.cursor, glyphs.mark, glyphs.stuck]
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


def colours(style: Style, ansi: TerminalTheme, background: str) -> tuple[float, float]:
    """The luminances of text and background."""
    back = Style.parse(f"on {background}").bgcolor if background else None
    behind = style.bgcolor or back
    fore = style.color.get_truecolor(ansi) if style.color else ansi.foreground_color
    rear = behind.get_truecolor(ansi, foreground=False) if behind and not behind.is_default else ansi.background_color
    return luminance(*fore), luminance(*rear)


def luminance(*rgb: int) -> float:
    parts = [value / 255 for value in rgb]
    red, green, blue = (part / 12.92 if part <= 0.03928 else math.pow((part + 0.055) / 1.055, 2.4) for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(style: Style, ansi: TerminalTheme, background: str) -> float:
    high, low = sorted(colours(style, ansi, background), reverse=True)
    return (high + 0.05) / (low + 0.05)


GROUNDS = {
    "dark": (MONOKAI, DARK_BACKGROUND),
    "light": (ALABASTER, LIGHT_BACKGROUND),
    "ansi-dark": (MONOKAI, ""),
    "ansi-light": (ALABASTER, ""),
}


@pytest.mark.parametrize("name", sorted(PALETTES))
@pytest.mark.parametrize("over", ["", " cursor"])
def test_every_role_is_readable_also_under_the_cursor(name: str, over: str) -> None:
    styles = styles_of(name)
    found = {role: contrast(styles[role + over], *GROUNDS[name]) for role in PALETTES[name] if role not in DECORATION}
    assert {role: round(ratio, 2) for role, ratio in found.items() if ratio < READABLE} == {}


def test_the_themes_have_the_same_roles_and_a_look_for_every_state() -> None:
    assert len({frozenset(palette) for palette in PALETTES.values()}) == 1
    assert set(PALETTES) == set(THEMES)
    assert {look.role for look in LOOKS.values()} <= set(PALETTES["dark"])


def test_a_theme_that_is_not_ours_gets_the_colours_that_fit_its_background() -> None:
    assert styles_of("nord", dark=True)["failed"] == styles_of("dark")["failed"]
    assert styles_of("solarized-light", dark=False)["failed"] == styles_of("light")["failed"]


# ---- numbers


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "–"), (-1, "0s"), (0, "0s"), (59.9, "59s"), (61, "1m"), (7_300, "2h"), (90_000, "1d")]
)
def test_an_age_is_short_and_never_negative(seconds: float | None, text: str) -> None:
    assert format.age(seconds) == text


@given(st.floats(0, 9e14))
def test_short_numbers_are_short(number: float) -> None:
    assert len(format.short_count(number)) <= 4
    assert len(format.size(number)) <= 4


@pytest.mark.parametrize("draw", [format.count, format.short_count, format.size, format.age, format.span, format.clock])
def test_what_is_unknown_is_never_a_nought(draw: object) -> None:
    assert draw(None) == "–"  # type: ignore[operator]
    assert "–" not in draw(0)  # type: ignore[operator]


def test_a_rate_that_is_not_nothing_is_not_shown_as_nothing() -> None:
    assert [format.rate(value) for value in (None, 0, 0.01, 0.2, 41, 12_345)] == [
        "–/s",
        "0/s",
        "<0.1/s",
        "0.2/s",
        "41/s",
        "12k/s",
    ]


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=8))
def test_shares_add_to_a_hundred(parts: list[int]) -> None:
    shares = format.percents(parts)
    assert (shares is None) == (sum(parts) == 0)
    assert shares is None or sum(shares) == 100


# ---- charts


@given(st.lists(st.floats(0, 1e9), max_size=100), st.integers(0, 40), st.sampled_from([UNICODE, ASCII]))
def test_a_sparkline_is_as_wide_as_asked_and_shows_what_is_not_nothing(
    values: list[float], cells: int, glyphs: Glyphs
) -> None:
    drawn = spark(values, cells, glyphs)
    assert len(drawn) == cells
    if len(values) <= cells:
        assert [value > 0 for value in values] == [sign != glyphs.spark[0] for sign in drawn[cells - len(values) :]]


@given(st.floats(0, 3), st.integers(0, 40), st.sampled_from([UNICODE, ASCII]))
def test_a_bar_is_as_wide_as_asked(share: float, cells: int, glyphs: Glyphs) -> None:
    used, free = bar(share, cells, glyphs)
    assert len(used + free) == cells
    assert bool(used) == (share > 0 and cells > 0)


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=4), st.integers(8, 60))
def test_a_stacked_bar_gives_every_share_a_cell(parts: list[int], cells: int) -> None:
    shares = format.percents(parts)
    assert shares is not None
    lengths = stacked(shares, cells)
    assert sum(lengths) == cells
    assert all(length > 0 for length, share in zip(lengths, shares, strict=True) if share)


# ---- foreign text

NASTY = {
    "colours": ("\x1b[31mred\x1b[0m text", "red text"),
    "a title": ("\x1b]0;owned\x07name", "name"),
    "a link": ("\x1b]8;;http://x\x1b\\here\x1b]8;;\x1b\\", "here"),
    "cursor moves": ("up\x1b[1A\x1b[2Kgone", "upgone"),
    "a progress bar": ("10%\r55%\r100%\r", "100%"),
    "bells and backspaces": ("a\x07b\x08c\x00d", "abcd"),
    "tabs": ("a\tb", "a       b"),
    "an unfinished escape": ("text\x1b[", "text"),
    "direction changes": ("abc\u202edef\u2066g", "abcdefg"),
    "invisible joiners": ("a\u200bb\ufeffc\u200dd\ufe0f", "abcd"),
    "a stack of marks": ("z" + "\u0335" * 50 + "!", "z\u0335\u0335!"),
    "eight bit escapes": ("a\x9b31mb", "ab"),
}


@pytest.mark.parametrize(("text", "wanted"), NASTY.values(), ids=NASTY.keys())
def test_foreign_text_is_made_harmless(text: str, wanted: str) -> None:
    assert clean(text) == wanted


@given(st.text(max_size=60))
def test_clean_text_has_nothing_that_moves_a_cursor(text: str) -> None:
    cleaned = clean(text)
    assert all(char.isprintable() or char == "\u3000" or char.isspace() for char in cleaned)
    assert not set(cleaned) & set("\x1b\r\n\t\x07\x08")


def test_a_megabyte_in_one_line_is_cut_before_anything_else() -> None:
    assert len(clean("x" * 1_000_000)) <= 8192


@given(st.text(max_size=40), st.integers(0, 30), st.booleans())
def test_fitted_text_is_exactly_as_wide_as_asked(text: str, cells: int, right: bool) -> None:
    assert width(fit(clean(text), cells, right=right)) == cells


@given(
    st.lists(st.tuples(st.text(max_size=10).map(clean), st.sampled_from(["a", "b"])), max_size=6), st.integers(1, 30)
)
def test_a_fitted_line_is_exactly_as_wide_as_asked(line: list[tuple[str, str]], cells: int) -> None:
    assert line_width(fit_line(line, cells)) == cells
    assert line_width(fit_line(line, cells, ellipsis="…")) == cells


def test_the_right_end_gives_way_when_both_do_not_fit() -> None:
    assert plain(spread([("left", "")], [("right", "")], 10)) == "left right"
    assert plain(spread([("left", "")], [("right", "")], 8)) == "left    "


@given(st.text(alphabet="ab 漢é", max_size=80), st.integers(2, 20))
def test_folded_lines_fit_and_lose_nothing_but_blanks(text: str, cells: int) -> None:
    lines = folded(text, cells)
    assert all(width(line) <= cells for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_every_kind_of_verdict_has_a_look_and_only_what_is_wrong_looks_so() -> None:
    assert set(VERDICT_LOOKS) == set(VerdictKind)
    assert all(UNICODE.of_verdict(kind) and ASCII.of_verdict(kind).isascii() for kind in VerdictKind)
    calm = {kind for kind, look in VERDICT_LOOKS.items() if look.role not in ("warning", "error", "unknown")}
    assert calm == {VerdictKind.HEALTHY, VerdictKind.PROGRESSING, VerdictKind.WAITING}
