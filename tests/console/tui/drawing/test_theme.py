"""Themes: every role is readable on its background."""

from __future__ import annotations

import math

import pytest
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from textual._ansi_theme import ALABASTER, MONOKAI

from console.tui.drawing.glyphs import LOOKS
from console.tui.drawing.theme import DARK_BACKGROUND, LIGHT_BACKGROUND, PALETTES, THEMES, styles_of

READABLE = 4.5
DECORATION = {"frame", "free"}
"""Lines and empty parts of bars: nothing is read from them."""


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
