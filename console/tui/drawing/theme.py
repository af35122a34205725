"""Styles of the roles of `console.tui.drawing.spans`: four themes, all readable at a contrast of 4.5 or more.

`dark` and `light` bring their own colours; `ansi-dark` and `ansi-light` leave them to the terminal's sixteen and use
only those of the sixteen that are readable on its background. No background carries meaning: it shows the cursor only.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Final

from rich.style import Style
from textual.theme import BUILTIN_THEMES, Theme

DARK_BACKGROUND: Final = "#0f131b"
LIGHT_BACKGROUND: Final = "#fbfbfd"
"""Painted behind every text, or a dark theme could not be read on a light terminal."""

DARK: Final[Mapping[str, str]] = {
    "text": f"#d7dde8 on {DARK_BACKGROUND}",
    "strong": "bold #ffffff",
    "muted": "#8d98ab",
    "title": "bold #d7dde8",
    "frame": "#5d6a82",
    "focus": "#6cb6ff",
    "header": "#8d98ab",
    "accent": "#6cb6ff",
    "key": "bold #6cb6ff",
    "queued": "#8d98ab",
    "submitted": "#a9b4c6",
    "pending": "italic #a9b4c6",
    "runnable": "#f0c050",
    "starting": "#56d4dd",
    "running": "#6cb6ff",
    "succeeded": "#7ee787",
    "failed": "bold #ff7b72",
    "cancelled": "#c9a58a",
    "unknown": "#d2a8ff",
    "stuck": "bold #ffa657",
    "ok": "#7ee787",
    "warning": "#f0c050",
    "error": "bold #ff7b72",
    "mark": "bold #d2a8ff",
    "free": "#3d485c",
    "share-0": "#6cb6ff",
    "share-1": "#56d4dd",
    "share-2": "#d2a8ff",
    "log-error": "#ff7b72",
    "log-warning": "#f0c050",
    "log-info": "#d7dde8",
    "log-debug": "#8d98ab",
    "hit": "bold underline",
    "found": "reverse",
    "cursor": "bold on #22304a",
}

LIGHT: Final[Mapping[str, str]] = {
    "text": f"#1f2430 on {LIGHT_BACKGROUND}",
    "strong": "bold #000000",
    "muted": "#576170",
    "title": "bold #1f2430",
    "frame": "#8791a1",
    "focus": "#0a58ca",
    "header": "#576170",
    "accent": "#0a58ca",
    "key": "bold #0a58ca",
    "queued": "#576170",
    "submitted": "#4a5362",
    "pending": "italic #4a5362",
    "runnable": "#7f5200",
    "starting": "#0b6570",
    "running": "#0a58ca",
    "succeeded": "#1a6a2e",
    "failed": "bold #bb1d17",
    "cancelled": "#7a4d2e",
    "unknown": "#8234a8",
    "stuck": "bold #9a4300",
    "ok": "#1a6a2e",
    "warning": "#7f5200",
    "error": "bold #bb1d17",
    "mark": "bold #8234a8",
    "free": "#c3cad6",
    "share-0": "#0a58ca",
    "share-1": "#0b6570",
    "share-2": "#8234a8",
    "log-error": "#bb1d17",
    "log-warning": "#7f5200",
    "log-info": "#1f2430",
    "log-debug": "#576170",
    "hit": "bold underline",
    "found": "reverse",
    "cursor": "bold on #dce8fb",
}

ANSI_DARK: Final[Mapping[str, str]] = {
    "text": "default",
    "strong": "bold default",
    "muted": "white",
    "title": "bold default",
    "frame": "bright_black",
    "focus": "bright_cyan",
    "header": "white",
    "accent": "bright_cyan",
    "key": "bold bright_cyan",
    "queued": "white",
    "submitted": "white",
    "pending": "italic white",
    "runnable": "yellow",
    "starting": "cyan",
    "running": "bright_cyan",
    "succeeded": "bright_green",
    "failed": "bold bright_red",
    "cancelled": "white",
    "unknown": "bright_magenta",
    "stuck": "bold bright_yellow",
    "ok": "bright_green",
    "warning": "yellow",
    "error": "bold bright_red",
    "mark": "bold bright_magenta",
    "free": "bright_black",
    "share-0": "bright_cyan",
    "share-1": "bright_green",
    "share-2": "bright_magenta",
    "log-error": "bright_red",
    "log-warning": "yellow",
    "log-info": "default",
    "log-debug": "white",
    "hit": "bold underline",
    "found": "reverse",
    "cursor": "bold reverse",
}

ANSI_LIGHT: Final[Mapping[str, str]] = {
    "text": "default",
    "strong": "bold default",
    "muted": "default",
    "title": "bold default",
    "frame": "bright_black",
    "focus": "blue",
    "header": "default",
    "accent": "blue",
    "key": "bold blue",
    "queued": "default",
    "submitted": "default",
    "pending": "italic default",
    "runnable": "magenta",
    "starting": "blue",
    "running": "blue",
    "succeeded": "default",
    "failed": "bold red",
    "cancelled": "default",
    "unknown": "bold magenta",
    "stuck": "bold red",
    "ok": "default",
    "warning": "magenta",
    "error": "bold red",
    "mark": "bold magenta",
    "free": "bright_black",
    "share-0": "blue",
    "share-1": "magenta",
    "share-2": "default",
    "log-error": "red",
    "log-warning": "magenta",
    "log-info": "default",
    "log-debug": "default",
    "hit": "bold underline",
    "found": "reverse",
    "cursor": "bold reverse",
}

PALETTES: Final[Mapping[str, Mapping[str, str]]] = {
    "dark": DARK,
    "light": LIGHT,
    "ansi-dark": ANSI_DARK,
    "ansi-light": ANSI_LIGHT,
}

THEMES: Final[Mapping[str, Theme]] = {
    "dark": Theme(
        name="dark",
        primary="#6cb6ff",
        secondary="#56d4dd",
        accent="#d2a8ff",
        foreground="#d7dde8",
        background=DARK_BACKGROUND,
        surface="#151b26",
        panel="#1b2331",
        success="#7ee787",
        warning="#f0c050",
        error="#ff7b72",
        dark=True,
    ),
    "light": Theme(
        name="light",
        primary="#0a58ca",
        secondary="#0b6570",
        accent="#8234a8",
        foreground="#1f2430",
        background=LIGHT_BACKGROUND,
        surface="#f1f3f8",
        panel="#e6eaf2",
        success="#1a6a2e",
        warning="#7f5200",
        error="#bb1d17",
        dark=False,
    ),
    "ansi-dark": BUILTIN_THEMES["ansi-dark"],
    "ansi-light": BUILTIN_THEMES["ansi-light"],
}
"""Themes that an app registers and offers; `dark` is the default."""


class Styles(dict[str, Style]):
    """Roles to styles; `failed cursor` lays the second over the first. An unknown role has no style of its own."""

    def __init__(self, palette: Mapping[str, str]) -> None:
        super().__init__({"": Style.parse(palette["text"])})
        self._palette = palette

    def __missing__(self, roles: str) -> Style:
        style = self[""]
        for role in roles.split():
            style += Style.parse(self._palette.get(role, ""))
        self[roles] = style
        return style


@cache
def styles_of(theme_name: str, dark: bool = True) -> Styles:
    """The styles of a theme; of one that isn't ours, those of ours that fit its background."""
    return Styles(PALETTES.get(theme_name) or (DARK if dark else LIGHT))
