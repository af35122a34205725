"""Other people's programs are run to their end, heard line by line, and never left behind."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from provisioner.errors import ProvisionError
from provisioner.image.programs import ProgramFailed, run_captured, stream

SLOW = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_lines_are_told_as_they_come_and_empty_ones_are_not() -> None:
    said: list[str] = []
    code = "import sys; print('one'); print(); print('two', file=sys.stderr)"
    stream("it", python(f"import sys; sys.stdout.reconfigure(line_buffering=True); {code}"), said.append, os.environ)
    assert said == ["one", "two"]


def test_the_last_line_is_the_answer() -> None:
    assert stream("it", python("print('a warning'); print('3.11')"), lambda line: None, os.environ) == "3.11"


def test_bytes_that_are_no_text_do_not_end_it() -> None:
    said: list[str] = []
    stream("it", python(r"import os; os.write(1, b'\xff ok\n')"), said.append, os.environ)
    assert said == ["\N{REPLACEMENT CHARACTER} ok"]


def test_a_failure_tells_the_line_that_speaks_of_an_error() -> None:
    code = "print('ERROR: No matching distribution found for nothing'); print('returned a non-zero code'); exit(3)"
    with pytest.raises(ProgramFailed) as caught:
        stream("docker build", python(code), lambda line: None, os.environ)
    expected = "docker build failed with exit code 3: ERROR: No matching distribution found for nothing."
    assert str(caught.value) == expected


def test_a_failure_without_a_word_says_so() -> None:
    with pytest.raises(ProgramFailed, match="failed with exit code 1: it said nothing"):
        run_captured("it", python("exit(1)"), os.environ)


def test_a_program_ends_with_whoever_listened_to_it() -> None:
    started: list[int] = []

    def interrupted(line: str) -> None:
        started.append(int(line))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stream("it", python(SLOW), interrupted, os.environ)
    with pytest.raises(ProcessLookupError):
        os.kill(started[0], 0)


@pytest.mark.parametrize("run", [lambda command: run_captured("it", command, {}), lambda c: stream("it", c, print, {})])
def test_a_program_that_cannot_be_started_is_said_so(tmp_path: Path, run: object) -> None:
    with pytest.raises(ProvisionError, match=r"^it could not be started: Permission denied\.$"):
        run([str(tmp_path)])  # type: ignore[operator]


def test_a_secret_is_the_programs_input() -> None:
    assert run_captured("it", python("print(len(input()))"), os.environ, secret="four") == "4\n"


def test_a_program_that_does_not_answer_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provisioner.image.programs.ANSWER_S", 0.1)
    with pytest.raises(ProvisionError, match="gave no answer within"):
        run_captured("it", python(SLOW), os.environ)
