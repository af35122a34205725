"""Kinds of values: what each accepts, what a wrong one says, and what becomes of the right ones."""

from __future__ import annotations

import msgspec
import pytest

from engine.config.parameters import PARAMETERS
from engine.config.settings import EngineConfig, ManagerConfig
from engine.errors import ConfigError
from tests.support.engine.config_resolution import REQUIRED, error_of, one, run


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("scheduler_address", "127.0.0.1:8516"),
        ("scheduler_address", "tcp://127.0.0.1"),
        ("scheduler_address", "tcp://127.0.0.1:99999"),
        ("scheduler_address", "inproc://x"),
        ("object_storage_address", "http://h:1"),
        ("job_queue", "a queue"),
        ("job_definition", "arn:aws:batch:us-east-1:1:job-queue/q"),
        ("s3_bucket", "s3://bucket"),
        ("s3_prefix", "///"),
        ("s3_prefix", "a//b"),
        ("s3_prefix", "späße"),
        ("aws_region", "virginia"),
        ("worker_manager_id", "wm.batch"),
        ("worker_manager_id", "x" * 65),
        ("backend", "lambda"),
        ("max_concurrent_jobs", "0"),
        ("max_concurrent_jobs", "many"),
        ("max_concurrent_jobs", True),
        ("max_concurrent_jobs", 2.5),
        ("job_timeout_minutes", "0"),
        ("job_timeout_minutes", "99999999"),
        ("max_task_concurrency", "0"),
        ("max_task_concurrency", "-2"),
        ("scale_down_cooldown_seconds", "-1"),
        ("scale_down_cooldown_seconds", "nan"),
        ("per_worker_capabilities", "gpu=many"),
        ("per_worker_capabilities", "=1"),
        ("reserved_for", "gpu,"),
        ("reserved_for", [1]),
        ("inline_limit", "28673"),
        ("inline_limit", "-1"),
        ("client_python", "2.7"),
        ("client_python", "3.11.4"),
        ("on_exit", "explode"),
        ("logging_level", "LOUD"),
        ("telemetry", "ipc:///tmp/x"),
        ("telemetry", "tcp://0.0.0.0:65535"),
        ("metrics_port", "0"),
        ("record", ""),
        ("event_loop", "asyncio"),
        ("hard_processor_suspend", "maybe"),
        ("task_timeout_seconds", "-1"),
    ],
)
def test_a_wrong_value_names_key_value_and_what_is_allowed(name: str, value: object) -> None:
    text = error_of({**REQUIRED, name: value})
    (parameter,) = (p for p in PARAMETERS if p.name == name)
    assert parameter.flag in text
    assert repr(value) in text
    assert parameter.kind.allowed in text


def test_a_configuration_error_exits_with_2() -> None:
    assert ConfigError.exit_code == 2


@pytest.mark.parametrize(
    "address",
    [
        "tcp://h:1",
        "tls://10.0.0.1:65535",
        "ws://h:80/path",
        "wss://h:443",
        "ipc:///tmp/x",
        "tcp://[::1]:8516",
    ],
)
def test_every_transport_of_scaler_is_an_address(address: str) -> None:
    assert one({"scheduler_address": address}).scheduler_address == address


def test_capabilities_are_read_as_scaler_writes_them() -> None:
    given = {"per_worker_capabilities": "linux, gpu=2"}
    assert one(dict(given)).capabilities == {"linux": -1, "gpu": 2}


def test_slashes_around_the_prefix_are_dropped() -> None:
    assert one({"s3_prefix": "/team/tasks/"}).s3_prefix == "team/tasks"


@pytest.mark.parametrize(("given", "cap"), [("-1", None), ("5", 5)])
def test_a_concurrency_of_minus_one_is_no_cap(given: str, cap: int | None) -> None:
    assert one({"max_task_concurrency": given}).max_task_concurrency == cap


@pytest.mark.parametrize(("given", "limit"), [("auto", "auto"), ("0", 0), (28672, 28672)])
def test_the_inline_limit_is_auto_or_a_number(given: object, limit: object) -> None:
    assert one({"inline_limit": given}).inline_limit == limit


def test_the_queue_holds_twice_the_concurrent_jobs_and_says_when_that_overrules() -> None:
    flags = {**REQUIRED, "max_concurrent_jobs": "2000", "per_worker_task_queue_size": "50"}
    config = run(flags)
    assert config.managers[0].task_queue_size == 4000
    assert any("--per-worker-task-queue-size" in note for note in config.notes)


def test_a_queue_size_that_is_large_enough_stays_without_a_note() -> None:
    config = run({**REQUIRED, "per_worker_task_queue_size": "5000"})
    assert config.managers[0].task_queue_size == 5000
    assert config.notes == ()


def test_parameters_without_effect_are_accepted_and_said() -> None:
    config = run({**REQUIRED, "preload": "pkg:setup", "hard_processor_suspend": True})
    assert [note.split(" is without effect")[0] for note in config.notes] == [
        "--preload",
        "--hard-processor-suspend",
    ]


def test_every_parameter_is_named_once_and_belongs_to_a_field_or_has_no_effect() -> None:
    names = [p.name for p in PARAMETERS]
    shorts = [p.short for p in PARAMETERS if p.short]
    assert len(set(names)) == len(names)
    assert len(set(shorts)) == len(shorts)
    fields = {f.name for struct in (ManagerConfig, EngineConfig) for f in msgspec.structs.fields(struct)}
    targets = {p.target for p in PARAMETERS if p.scope.value != "no effect"}
    assert targets == fields - {"managers", "notes"}


def test_the_configuration_survives_the_way_to_the_engine_process() -> None:
    config = run({**REQUIRED, "inline_limit": "100", "per_worker_capabilities": "gpu=1"})
    assert msgspec.json.decode(msgspec.json.encode(config), type=EngineConfig) == config


def test_telemetry_from_elsewhere_needs_keys() -> None:
    assert "--telemetry-keys" in error_of({**REQUIRED, "telemetry": "tcp://0.0.0.0:27500"})


def test_telemetry_with_keys_listens_where_it_is_told() -> None:
    config = run({**REQUIRED, "telemetry": "tcp://0.0.0.0:27500", "telemetry_keys": "keys", "metrics_port": "9100"})
    assert (config.telemetry, config.telemetry_keys, config.metrics_port) == ("tcp://0.0.0.0:27500", "keys", 9100)


@pytest.mark.parametrize(("pack", "ahead"), [("off", 1_000), ("auto", 20_000), ("50", 1_600), ("2", 1_000)])
def test_the_scheduler_may_send_ahead_what_packs_are_planned_from(pack: str, ahead: int) -> None:
    [manager] = run({**REQUIRED, "max_concurrent_jobs": "16", "pack": pack}).managers
    assert manager.tasks_ahead == ahead
