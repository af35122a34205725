"""`local`: what is refused before anything starts."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import pytest
from msgspec.structs import replace

from console.cli.commands.local import ANY_PLACES, check
from console.local import run
from console.local.demo_report import DemoReport
from console.local.run import ImageOptions, LocalRun, LocalRunOptions, engine_settings, exit_code, forget_aws
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
        (replace(options(), no_jobs=True, containers=True), "--no-jobs runs none, --containers runs them in"),
        (replace(options(demo=1), no_jobs=True), "--no-jobs computes nothing, and --demo checks results"),
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


@pytest.mark.parametrize(("stopped", "said"), [(False, "was killed by SIGKILL"), (True, "")])
def test_that_the_worker_manager_was_killed_is_told_to_whoever_did_not_ask_for_it(
    stopped: bool, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(SessionEnd(-9, stopped=stopped)) == 1
    err = capsys.readouterr().err
    assert said in err if said else not err


def test_the_pace_is_awss_own_also_for_a_demo_that_is_watched() -> None:
    watched = replace(options(demo=1), stay=True)
    assert run.delays(replace(watched, pace="aws")).instance == (60.0, 180.0)
    assert run.delays(watched).instance == 0.0
    assert run.delays(watched).starting == 1.0


class RecordedCluster:
    """Cluster that writes down what is done with it, in order."""

    def __init__(self, *, faults: Sequence[str] = (), **settings: object) -> None:
        self.done = [f"made with {fault}" for fault in faults]
        self.aws, self.resources = self, None
        made.append(self)

    def __enter__(self) -> None:
        self.done.append("provisioned")

    def __exit__(self, *error: object) -> None:
        self.done.append("ended")

    def fault(self, fault: str) -> None:
        self.done.append(fault)

    def environment(self) -> dict[str, str]:
        return {}


made: list[RecordedCluster] = []


def test_faults_begin_when_the_cluster_is_provisioned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provisioner.local.cluster.LocalCluster", RecordedCluster)
    monkeypatch.setattr(run, "saved_local_stack", lambda *given: nullcontext())
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.setattr(signal, "signal", lambda *given: None)
    monkeypatch.setattr(LocalRun, "run", lambda self: self._cluster.done.append("ran") or 0)
    run.run_locally(options(faults=("expired-credentials:20s",)))
    assert made[-1].done == ["provisioned", "expired-credentials:20s", "ran", "ended"]


def test_the_end_of_a_demo_that_is_outlived_is_printed_with_its_report(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LocalRun, "_make_report", lambda self, count, output: REPORT)
    LocalRun(options(demo=3), RecordedCluster(), {})._client_ended(0, b"")  # type: ignore[arg-type]
    said = capsys.readouterr().out
    assert "the demo has ended with exit code 0" in said
    assert "results right: 3 of 3" in said


REPORT = DemoReport(
    tasks=3, right=3, seconds=1.0, submissions=1, batch_calls=2, s3_calls=3, polled_calls=12, results=[0, 1, 4]
)
