"""Severity of log lines, as far as they name one: words, JSON, logfmt, glog, tracebacks, crashes, the runner's ends.

Pure functions of the text. Only the beginning of a line is looked at, except where a format says its level later.
"""

from __future__ import annotations

import re
from enum import IntEnum
from typing import Final

_HEAD: Final = 120
"""Characters in which a word's level is looked for."""
_FIELDS_HEAD: Final = 1_000
"""Characters in which a field's level is looked for."""


class Level(IntEnum):
    """Severity, the higher the worse. A line without one of its own is `INFO`, or belongs to the traceback above it."""

    DEBUG = 0
    INFO = 1
    WARNING = 2
    ERROR = 3


_NAMES: Final = {
    Level.ERROR: "critical crit fatal error err severe panic emerg emergency alert dpanic",
    Level.WARNING: "warning warn",
    Level.INFO: "info information informational notice",
    Level.DEBUG: "debug trace verbose fine finer finest",
}
_BY_NAME: Final = {name: level for level, names in _NAMES.items() for name in names.split()}

_JSON: Final = re.compile(
    r"""["'](?:level|severity|levelname|log\.level|lvl|loglevel|level_name)["']\s*:\s*(?:["'](\w+)["']|(\d+))""", re.I
)
_LOGFMT: Final = re.compile(r"""(?:^|[\s,;])(?:level|severity|lvl|loglevel)=["']?([A-Za-z]+)""")
_GLOG: Final = re.compile(r"([IWEFD])\d{4} \d\d:\d\d:\d\d")
_GLOG_LEVELS: Final = {"F": Level.ERROR, "E": Level.ERROR, "W": Level.WARNING, "I": Level.INFO, "D": Level.DEBUG}
_WORD: Final = re.compile(
    r"\b(?:(CRITICAL|CRIT|FATAL|ERROR|ERR|SEVERE|PANIC|EMERG)|(WARN(?:ING)?)|(INFO|NOTICE)|(DEBUG|TRACE))\b"
)
_CAPITALS: Final = re.compile(r"[A-Z]{3}")
_LOWER: Final = re.compile(
    r"(?:^|[:\])>-] ?|^\S+ )\[?"
    r"(?:(fatal(?: error)?|error|panic|critical)|(warn(?:ing)?)|(info|notice)|(debug|trace))\]?\s*[:|]",
    re.I,
)
_BRACKETS: Final = re.compile(
    r"[\[<(](?:(error|fatal|critical|err)|(warn(?:ing)?)|(info|notice)|(debug|trace))[\])>]", re.I
)
_EXCEPTION: Final = re.compile(r"[\w.]*(?:Error|Exception|Interrupt|Exit|ExceptionGroup)\b(?::|$| \()")
_PYTHON_WARNING: Final = re.compile(r"(?:^|: )\w*Warning(?::|$)")
_CRASH: Final = re.compile(
    r"Fatal Python error|Segmentation fault|Bus error|Illegal instruction|Floating point exception|core dumped"
    r"|Killed$|\d+ Killed\b|Aborted\b|terminate called|double free|malloc\(\)|free\(\): |stack smashing"
    r"|[Oo]ut of memory|OOMKilled|Cannot allocate memory|std::bad_alloc|MemoryError|Assertion .*failed"
    r"|thread .* panicked at"
    r"|No space left on device"
)
_CRASH_AT_START: Final = re.compile(r"(?:.{0,60}: )?(?:" + _CRASH.pattern + ")")
_TRACEBACK: Final = re.compile(r"\(most recent call (?:last|first)\)")
_BETWEEN_TRACEBACKS: Final = re.compile(
    r"During handling of the above exception|The above exception was the direct cause"
)
_PINO: Final = ((50, Level.ERROR), (40, Level.WARNING), (30, Level.INFO), (0, Level.DEBUG))
"""Numbers of bunyan and pino, which write `"level":50`."""

_RUNNER: Final = re.compile(r"scaler-batch-runner: (?:task [0-9a-f]{32}: )?")
"""What the program inside the job begins its own lines with."""
_RUNNER_END: Final = re.compile(r": exit (\d+)$")
_RUNNER_TROUBLE: Final = re.compile(r"SIGTERM|; next try in|grant s3:")


def level_of(text: str) -> Level:
    """Level that a line names, in whatever form."""
    runner = _RUNNER.match(text)
    if runner is not None:
        return _runner_level(text)
    for find in (_structured, _crash, _word):
        if (level := find(text)) is not None:
            return level
    return Level.INFO


def fold_runner(text: str) -> str:
    """Shorten the prefix of the runner's own lines, with the task's id: the screen names the job already."""
    return "runner: " + text[begin.end() :] if (begin := _RUNNER.match(text)) else text


class LevelReader:
    """Reader of the levels of lines that come one after another, job by job: a traceback is an error to its end."""

    def __init__(self) -> None:
        self._in_traceback: set[str] = set()

    def level(self, task_id: str, text: str) -> Level:
        """Level of the job's next line."""
        if _TRACEBACK.search(text):
            self._in_traceback.add(task_id)
            return Level.ERROR
        if task_id not in self._in_traceback:
            return Level.ERROR if _BETWEEN_TRACEBACKS.match(text) else level_of(text)
        if not text or text.startswith((" ", "\t")):
            return Level.ERROR
        self._in_traceback.discard(task_id)
        return Level.ERROR if _EXCEPTION.match(text) else level_of(text)


def _runner_level(text: str) -> Level:
    end = _RUNNER_END.search(text)
    if end is not None:
        return Level.INFO if int(end[1]) == 0 else Level.ERROR
    return Level.WARNING if _RUNNER_TROUBLE.search(text) else Level.INFO


def _structured(text: str) -> Level | None:
    """Of JSON, logfmt and glog."""
    if text.startswith("{") and (found := _JSON.search(text, 0, _FIELDS_HEAD)):
        name, number = found.groups()
        return _BY_NAME.get(name.lower()) if name else _numbered(int(number))
    if "=" in text and (found := _LOGFMT.search(text, 0, _FIELDS_HEAD)):
        return _BY_NAME.get(found[1].lower())
    found = _GLOG.match(text)
    return _GLOG_LEVELS[found[1]] if found else None


def _numbered(number: int) -> Level:
    return next(level for least, level in _PINO if number >= least)


def _crash(text: str) -> Level | None:
    return Level.ERROR if _CRASH_AT_START.match(text, 0, 2 * _HEAD) else None


def _word(text: str) -> Level | None:
    """Of a word in capitals, else of one before a colon or in brackets, else of an exception's or warning's name."""
    head = text[:_HEAD]
    may_be = (_CAPITALS.search(head), ":" in head or "|" in head, True)  # what is cheap to see rules most out
    for pattern, is_possible in zip((_WORD, _LOWER, _BRACKETS), may_be, strict=True):
        if is_possible and (found := pattern.search(head)):
            return (Level.ERROR, Level.WARNING, Level.INFO, Level.DEBUG)[(found.lastindex or 3) - 1]
    if _EXCEPTION.match(text):
        return Level.ERROR
    return Level.WARNING if "Warning" in text and _PYTHON_WARNING.search(text, 0, 4 * _HEAD) else None
