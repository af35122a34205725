"""User preferences: one JSON file in the user's configuration folder, readable by its owner only."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

import msgspec

from console.tui.actions import PANES

FILE: Final = "console.json"


class SavedView(msgspec.Struct, frozen=True, omit_defaults=True):
    """Look at the jobs by a name: filter, order and columns."""

    filter: str = ""
    sort: str = "urgency"
    descending: bool = False
    hidden_columns: tuple[str, ...] = ()


class PaneSizes(msgspec.Struct, frozen=True, omit_defaults=True):
    """Sizes that the user gave panes of the dashboard, in lines and cells; 0: as the screen's size has it."""

    logs: int = 0
    side: int = 0


class Preferences(msgspec.Struct, frozen=True, omit_defaults=True):
    """Settings that are remembered. `keymap` is `{action id: keys}`; panes and columns by their names."""

    theme: str = "dark"
    hidden_columns: tuple[str, ...] = ()
    hidden_panes: tuple[str, ...] = ()
    sort: str = "urgency"
    trend: str = "5m"
    keymap: dict[str, str] = {}
    descending: bool = False
    history: dict[str, tuple[str, ...]] = {}
    """Answers by the name of their question, the newest last."""
    views: dict[str, SavedView] = {}
    sizes: PaneSizes = PaneSizes()
    group_by: str = ""
    """A kind of groups, or `job`; empty: groups by function when there are many jobs."""
    notify_command: tuple[str, ...] = ()
    """Program and arguments that a notification runs, with its sentence behind them; empty: none."""


def preferences_file() -> Path:
    """Path of the preferences, in the platform's configuration folder."""
    import platformdirs

    return platformdirs.user_config_path("scaler-batch") / FILE


def load(file: Path) -> tuple[Preferences, str]:
    """Load preferences; returns the defaults and a warning for a file that can't be read."""
    try:
        found = msgspec.json.decode(file.read_bytes(), type=Preferences)
    except FileNotFoundError:
        return Preferences(), ""
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        return Preferences(), f"{file} can't be used ({error}): the console starts with its own settings"
    return msgspec.structs.replace(found, hidden_panes=tuple(p for p in found.hidden_panes if p in PANES)), ""


def save(file: Path, preferences: Preferences) -> None:
    """Save atomically; where nothing can be written nothing is remembered."""
    fresh = file.with_suffix(".new")
    with contextlib.suppress(OSError):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as opened:
            opened.write(msgspec.json.format(msgspec.json.encode(preferences)) + b"\n")
        fresh.replace(file)
