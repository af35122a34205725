"""Levels of log lines, in whatever form a program names them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.tui.logs.log_levels import Level, LevelReader, fold_runner, level_of
from tests.support.runner.log_lines import runner_line

LINES = {
    Level.ERROR: [
        "2026-01-01 ERROR worker: no",
        "numpy.linalg.LinAlgError: Singular matrix",
        '{"level":"error","msg":"no"}',
        '{"time":"2026-01-01","severity": "CRITICAL","message":"INFO about it"}',
        '{"level":50,"msg":"pino"}',
        'time="2026-01-01" level=error msg="no"',
        "level=fatal msg=gone",
        "E0102 03:04:05.678901 1 main.cc:3] no",
        "F0102 03:04:05.678901 1 main.cc:3] no",
        "error: the file is missing",
        "gcc: error: no input files",
        "main.c:3:1: fatal error: x.h: No such file",
        "[error] it broke",
        "Fatal Python error: Segmentation fault",
        "Segmentation fault (core dumped)",
        "Killed",
        "sh: line 1: 12 Killed python x.py",
        "terminate called after throwing an instance of 'std::bad_alloc'",
        "thread 'main' panicked at src/main.rs:2:5:",
        "panic: runtime error: index out of range",
        "python: malloc.c:2401: sysmalloc: Assertion `x' failed.",
        "OSError: [Errno 28] No space left on device",
    ],
    Level.WARNING: [
        "[WARN] low",
        "warning: unused variable",
        "/usr/lib/x.py:3: UserWarning: look out",
        "DeprecationWarning: old",
        "level=warn msg=low",
        '{"level":"WARNING"}',
        '{"level":40}',
        "W0102 03:04:05.678901 1 main.cc:3] low",
    ],
    Level.INFO: [
        "INFO all is well, no error here",
        "informational WARNINGS",
        "plain words",
        "0 errors, 0 warnings",
        "no error was met",
        '{"level":"info","msg":"ERROR is only a word here"}',
        'level=info msg="error: quoted"',
        "I0102 03:04:05.678901 1 main.cc:3] fine",
        "the level is fine",
        "",
    ],
    Level.DEBUG: ["DEBUG x", '{"level":"debug"}', '{"level":20}', "level=trace msg=x", "debug: x"],
}


@pytest.mark.parametrize(("level", "text"), [(level, text) for level, texts in LINES.items() for text in texts])
def test_a_line_has_the_level_that_it_names(level: Level, text: str) -> None:
    assert level_of(text) is level


@given(st.text(max_size=300))
def test_every_text_has_a_level(text: str) -> None:
    assert level_of(text) in Level
    assert LevelReader().level("task", text) in Level


@given(
    st.sampled_from(["error", "Error", "ERROR"]), st.sampled_from(['{{"level":"{}"}}', "level={}", "[{}] x", "{}: x"])
)
def test_a_level_counts_in_upper_and_lower_case(word: str, form: str) -> None:
    assert level_of(form.format(word)) is Level.ERROR


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("task {}: success (int) while running, ran 1.000 s, 20 bytes written in 0.1 s: exit 0", Level.INFO),
        ("task {}: died (signal 11) while running, ran 1.000 s, 20 bytes written in 0.1 s: exit 71", Level.ERROR),
        ("got SIGTERM: the job's time-out, a termination, or a host that is taken away", Level.WARNING),
        ("task {}: attempt 1, 300 bytes of payload", Level.INFO),
    ],
)
def test_the_runners_own_ends_have_levels(text: str, level: Level) -> None:
    assert level_of(runner_line(text.format("5e" * 16))) is level


def test_the_runners_prefix_is_folded_away_and_a_jobs_own_text_is_not() -> None:
    line = runner_line(f"task {'5e' * 16}: attempt 1, 300 bytes of payload")
    assert fold_runner(line) == "runner: attempt 1, 300 bytes of payload"
    assert fold_runner(f"said {line}") == f"said {line}"


def levels(*texts: str) -> list[Level]:
    reader = LevelReader()
    return [reader.level("task", text) for text in texts]


def test_chained_tracebacks_are_errors_from_the_first_line_to_the_last() -> None:
    lines = [
        "Traceback (most recent call last):",
        '  File "x.py", line 3, in f',
        "    return 1 / 0",
        "ZeroDivisionError: division by zero",
        "During handling of the above exception, another exception occurred:",
        "Traceback (most recent call last):",
        '  File "x.py", line 5, in f',
        "",
        "ValueError: no",
    ]
    assert set(levels(*lines)) == {Level.ERROR}
    assert levels(*lines, "INFO on")[-1] is Level.INFO


def test_the_stack_of_a_fatal_error_belongs_to_it() -> None:
    lines = [
        "Fatal Python error: Aborted",
        "Current thread 0x1 (most recent call first):",
        '  File "x.py", line 3 in f',
    ]
    assert levels(*lines, "all is well") == [*[Level.ERROR] * 3, Level.INFO]
