"""Textual driver of a terminal that may go away: a closed window, a connection that is cut, a killed tmux.

Textual writes in a thread of its own, through a queue of thirty texts. When the terminal is gone that thread ends with
the first write, the queue fills, and whoever writes next waits for ever: the program outlives its terminal.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from io import TextIOWrapper
from typing import TextIO, cast

from textual.app import App
from textual.drivers.linux_driver import LinuxDriver


class TerminalFile:
    """Output of a terminal: after its end all that is written is dropped, and `on_gone` is called once."""

    def __init__(self, file: TextIO, on_gone: Callable[[], None]) -> None:
        self._file = file
        self._on_gone = on_gone
        self._is_gone = False

    def write(self, text: str) -> int:
        """Write `text`; the number of its characters."""
        self._attempt(lambda: self._file.write(text))
        return len(text)

    def flush(self) -> None:
        """Flush what was written."""
        self._attempt(self._file.flush)

    def fileno(self) -> int:
        """File descriptor of the terminal."""
        return self._file.fileno()

    def _attempt(self, step: Callable[[], object]) -> None:
        if self._is_gone:
            return
        try:
            step()
        except OSError:  # EIO of a terminal that hung up, EPIPE of a pipe in its place
            self._is_gone = True
            self._on_gone()


class TerminalDriver(LinuxDriver):
    """Driver whose app ends with its terminal, also where no SIGHUP tells of that."""

    def __init__(
        self, app: App[object], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self._file = cast(TextIOWrapper, TerminalFile(cast(TextIO, self._file), self._end_app))

    def _end_app(self) -> None:
        """End the app; called in the thread that writes."""
        self._loop.call_soon_threadsafe(lambda: self._app.exit(return_code=128 + signal.SIGHUP))
