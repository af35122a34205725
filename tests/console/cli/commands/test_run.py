"""`run`: from the command line to the engine's settings."""

from __future__ import annotations

import os
import re
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

import scaler_batch
from console.cli.commands.run import app, configuration
from console.cli.options import shown_default
from engine.config.parameters import PARAMETERS, Parameter
from engine.config.settings import EngineConfig
from engine.errors import ConfigError

ADDRESS = "tcp://127.0.0.1:8516"
REQUIRED = ["--job-queue", "q", "--job-definition", "d", "--s3-bucket", "bucket", "--aws-region", "us-east-1"]
OPTIONS = [parameter for parameter in PARAMETERS if not parameter.positional]

TABLE = """
[[worker_manager]]
type = "aws_hpc"
scheduler_address = "tcp://127.0.0.1:1"
worker_manager_id = "wm-batch"
job_queue = "q"
job_definition = "d"
s3_bucket = "bucket"
aws_region = "us-east-1"
"""


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("SCALER_", "AWS_"))]:
        monkeypatch.delenv(name)


def engine_started_by(monkeypatch: pytest.MonkeyPatch, *words: str) -> EngineConfig:
    """What `run` would become."""
    seen: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda _path, command: seen.append(command))
    CliRunner().invoke(app, ["run", "--headless", *words], catch_exceptions=False)
    [[*program, settings_flag, settings]] = seen
    assert (tuple(program), settings_flag) == (scaler_batch.command("engine"), "--settings")
    return msgspec.json.decode(settings, type=EngineConfig)


@pytest.mark.parametrize("parameter", OPTIONS, ids=lambda parameter: parameter.name)
def test_help_shows_every_parameter_with_short_form_and_default(parameter: Parameter) -> None:
    wide = {"COLUMNS": "400", "TERMINAL_WIDTH": "400"}
    shown = CliRunner().invoke(app, ["run", "--help"], env=wide).output
    [line] = [line for line in shown.splitlines() if re.match(rf"\W+{parameter.flag}\s", line)]
    assert parameter.short is None or f" {parameter.short} " in line
    assert not shown_default(parameter) or f"[default: {shown_default(parameter)}]" in line


def test_short_forms_of_several_letters_work(monkeypatch: pytest.MonkeyPatch) -> None:
    config = engine_started_by(monkeypatch, ADDRESS, *REQUIRED, "-mcj", "7", "-wmi", "mine", "-n", "shown")
    [manager] = config.managers
    assert (manager.max_concurrent_jobs, manager.worker_manager_id, manager.name) == (7, "mine", "shown")


def test_a_switch_is_a_flag_alone_and_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    config = engine_started_by(monkeypatch, ADDRESS, *REQUIRED, "-hps")
    assert any("--hard-processor-suspend is without effect" in note for note in config.notes)


def test_a_repeatable_option_collects(monkeypatch: pytest.MonkeyPatch) -> None:
    config = engine_started_by(monkeypatch, ADDRESS, *REQUIRED, "-lp", "/dev/stderr", "-lp", "a.log")
    assert config.logging_paths == ("/dev/stderr", "a.log")


@pytest.mark.parametrize("words", [("{}",), ("-c", "{}")], ids=["as-argument", "as-option"])
def test_a_toml_file_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: tuple[str, ...]) -> None:
    path = tmp_path / "config.toml"
    path.write_text(TABLE)
    config = engine_started_by(monkeypatch, *(word.format(path) for word in words))
    assert config.managers[0].worker_manager_id == "wm-batch"


def test_an_address_wins_over_the_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(TABLE)
    config = engine_started_by(monkeypatch, ADDRESS, "--config", str(path))
    assert config.managers[0].scheduler_address == ADDRESS


def test_two_files_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"a\.toml and --config b\.toml"):
        configuration("a.toml", "b.toml", {})


def test_a_wrong_value_names_key_value_and_what_is_allowed() -> None:
    flags: dict[str, object] = {"job_queue": "q", "job_definition": "d", "s3_bucket": "bucket"}
    with pytest.raises(ConfigError, match="--max-concurrent-jobs is 'many', but must be a whole number"):
        configuration(ADDRESS, None, {**flags, "max_concurrent_jobs": "many"})
