"""Logging setup: rich lines on a terminal, plain or JSON elsewhere.

Payloads, arguments, results and secrets are never logged.
"""

from __future__ import annotations

import json
import logging
import logging.config
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from container.batch_job_quoting import quote_foreign, quote_foreign_lines

FORMAT_VARIABLE: Final = "SCALER_BATCH_LOG_FORMAT"
"""`plain` or `json`, for what is not a terminal."""
LEVELS: Final = ("CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG")

OUR_PACKAGES: Final = frozenset({"engine", "console", "provisioner", "container", "scaler_batch"})
REPEATS: Final = 10
REPEATS_S: Final = 60.0

_STREAMS: Final = {"/dev/stdout": lambda: sys.stdout, "/dev/stderr": lambda: sys.stderr}
_MESSAGE: Final = 4_000  # characters
_TRACEBACK: Final = 32_000
_PLAIN: Final = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


def configure_logging(level: str, paths: Sequence[str], config_file: str | None, environ: Mapping[str, str]) -> None:
    """Send the engine's log lines to `paths`; `config_file` (logging's .conf format) supersedes all of it."""
    if config_file is not None:
        logging.config.fileConfig(config_file, disable_existing_loggers=False)
        return
    handlers = [_handler(path, environ.get(FORMAT_VARIABLE, "plain")) for path in paths]
    for handler in handlers:
        handler.addFilter(RepeatLimit())
    logging.basicConfig(level=logging.WARNING, handlers=handlers, force=True)
    set_level(level)


def set_level(level: str) -> None:
    """Log `level` and worse from now on."""
    for package in ("engine", "scaler"):
        logging.getLogger(package).setLevel(_level(level))


class LineFormatter(logging.Formatter):
    """Formatter whose messages are one line each, bounded and without control characters, whoever wrote a part of them.

    A traceback's lines are indented: none looks like the begin of a record.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The record's line."""
        record.message = _message(record)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:
        """The traceback, the last part of a long one."""
        return "\n".join(f"  {line}" for line in _traceback(super().formatException(ei)).splitlines())


class RepeatLimit(logging.Filter):
    """Filter that bounds what libraries repeat: at most `REPEATS` lines from one place in `REPEATS_S`.

    The first line behind that says how many were left out. Our own lines pass: each says something else.
    """

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, int], _Said] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is logged."""
        if record.name.partition(".")[0] in OUR_PACKAGES:
            return True
        said = self._said.setdefault((record.pathname, record.lineno), _Said(record.created))
        if record.created - said.since >= REPEATS_S:
            if said.left_out:
                record.msg, record.args = f"{record.getMessage()} (and {said.left_out:,} more like it)", ()
            said.since, said.lines, said.left_out = record.created, 0, 0
        said.lines += 1
        said.left_out += said.lines > REPEATS
        return said.lines <= REPEATS


@dataclass(slots=True)
class _Said:
    since: float
    lines: int = 0
    left_out: int = 0


class JsonFormatter(logging.Formatter):
    """Formatter of one JSON object a line: time (UTC), level, logger, message, and the traceback where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Render one record as JSON."""
        line = {
            "time": _utc(record.created),
            "level": record.levelname,
            "logger": record.name,
            "message": _message(record),
        }
        if record.exc_info:
            line["traceback"] = _traceback(self.formatException(record.exc_info))
        return json.dumps(line)


def _handler(path: str, form: str) -> logging.Handler:
    stream = _STREAMS[path]() if path in _STREAMS else None
    if stream is not None and stream.isatty():
        return _rich_handler(path)
    handler = logging.StreamHandler(stream) if stream is not None else logging.FileHandler(path)
    handler.setFormatter(JsonFormatter() if form == "json" else _plain_formatter())
    return handler


def _rich_handler(path: str) -> logging.Handler:
    from rich.console import Console
    from rich.logging import RichHandler

    console = Console(stderr=path == "/dev/stderr")
    handler = RichHandler(console=console, show_path=False, rich_tracebacks=False)
    handler.setFormatter(LineFormatter())
    return handler


def _plain_formatter() -> logging.Formatter:
    formatter = LineFormatter(_PLAIN, "%Y-%m-%dT%H:%M:%SZ")
    formatter.converter = time.gmtime
    return formatter


def _message(record: logging.LogRecord) -> str:
    return quote_foreign(record.getMessage(), _MESSAGE)


def _traceback(text: str) -> str:
    return quote_foreign_lines(text, _TRACEBACK)


def _utc(created: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(created)) + f".{int(created % 1 * 1000):03d}Z"


def _level(name: str) -> int | str:
    # Scaler's own extra level: most of what it would say is INFO here
    return logging.INFO if name == "LOGGING" else name
