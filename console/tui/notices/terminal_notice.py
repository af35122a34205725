"""Notifications and window titles as terminals take them: OSC 9, OSC 777 and OSC 2, through tmux, too.

OSC 9 is iTerm2's (and kitty's, WezTerm's, Windows Terminal's), OSC 777 is rxvt-unicode's and VTE's: a terminal shows
the one it knows and drops the other. tmux passes them on with `allow-passthrough`.
"""

from __future__ import annotations

from typing import Final

from console.foreign_text import clean

LONGEST: Final = 200
SAVE_TITLE, RESTORE_TITLE = "\x1b[22;2t", "\x1b[23;2t"
"""xterm's stack of window titles."""


def notification(text: str, *, in_tmux: bool) -> str:
    """Sequences that notify of `text`."""
    harmless = clean(text)[:LONGEST].replace(";", ",")
    sequences = (f"\x1b]9;{harmless}\x07", f"\x1b]777;notify;scaler-batch;{harmless}\x07")
    return "".join(_through_tmux(each) if in_tmux else each for each in sequences)


def window_title(text: str) -> str:
    """Sequence that sets the window's title; tmux takes it for the pane's."""
    return f"\x1b]2;{clean(text)[:LONGEST]}\x07"


def _through_tmux(sequence: str) -> str:
    doubled = sequence.replace("\x1b", "\x1b\x1b")
    return f"\x1bPtmux;{doubled}\x1b\\"
