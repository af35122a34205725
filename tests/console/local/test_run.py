"""`local`: what is refused before anything starts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from console.cli.commands.local import ANY_PLACES, check
from console.local.run import ImageOptions, LocalRunOptions, engine_settings, exit_code, forget_aws
from console.local.session import SessionEnd
from engine.errors import ConfigError


def options(
    demo: int | None = None, script: Path | None = None, faults: tuple[str, ...] = (), **flags: object
) -> LocalRunOptions:
    return LocalRunOptions(demo=demo, script=script, faults=faults, as_json=False, flags=flags)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (options(demo=1, script=Path(__file__)), "--demo and --script exclude each other"),
        (options(script=Path("nowhere.py")), "nowhere.py, which is no file"),
        (options(faults=("gremlins",)), "'gremlins': the kind must be one of throttle"),
        (replace(options(), image=ImageOptions(base="python:3.12")), "are about the image of jobs in containers: add"),
        (options(max_concurrent_jobs="0"), "--max-concurrent-jobs is '0'"),
    ],
)
def test_what_is_wrong_is_said_before_anything_starts(wrong: LocalRunOptions, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        check(wrong)


def test_a_client_gets_a_quiet_engine_whose_log_is_not_on_standard_output() -> None:
    config = engine_settings(options(demo=1), ANY_PLACES)
    assert (config.logging_level, config.logging_paths) == ("WARNING", ("/dev/stderr",))


def test_flags_win_over_what_local_would_choose() -> None:
    given = options(demo=1, logging_level="DEBUG", logging_paths=["engine.log"])
    config = engine_settings(given, ANY_PLACES)
    assert (config.logging_level, config.logging_paths) == ("DEBUG", ("engine.log",))


def test_the_users_own_aws_settings_stay_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {"AWS_PROFILE": "production", "PATH": "/bin"})
    forget_aws()
    assert os.environ == {"PATH": "/bin"}


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (SessionEnd(0), 0),
        (SessionEnd(0, 0), 0),
        (SessionEnd(0, 7), 7),
        (SessionEnd(0, -11), 1),
        (SessionEnd(1, 0), 1),
        (SessionEnd(0, client_interrupted=True), 1),
    ],
)
def test_the_exit_code_is_the_clients_then_the_engines(end: SessionEnd, code: int) -> None:
    assert exit_code(end) == code
