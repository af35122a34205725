"""Resolution of configuration: its sources, their precedence, and refusals of what does not fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.config.resolve import find_boto3_region, resolve
from engine.config.settings import ManagerConfig
from engine.errors import ConfigError
from tests.support.engine.config_resolution import REQUIRED, error_of, one, run

SEED_TABLE = """
[[worker_manager]]
type = "aws_hpc"
scheduler_address = "tcp://127.0.0.1:8516"
object_storage_address = "tcp://127.0.0.1:8517"
worker_manager_id = "wm-batch"
job_queue = "scaler-batch-queue"
job_definition = "scaler-batch-job"
s3_bucket = "scaler-batch-123456789012-us-east-1" # replace 123456789012 with your account ID
aws_region = "us-east-1"
max_concurrent_jobs = 100
job_timeout_minutes = 60
"""

TWO_TABLES = """
[[worker_manager]]
type = "aws_hpc"
scheduler_address = "tcp://10.0.0.1:8516"
worker_manager_id = "cpu"
job_queue = "cpu-queue"
job_definition = "job"
s3_bucket = "bucket"

[[worker_manager]]
type = "aws_hpc"
scheduler_address = "tcp://10.0.0.1:8516"
worker_manager_id = "gpu"
job_queue = "gpu-queue"
job_definition = "job"
per_worker_capabilities = "gpu=1"
"""


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(SEED_TABLE)
    return path


@pytest.fixture
def two(tmp_path: Path) -> Path:
    path = tmp_path / "two.toml"
    path.write_text(TWO_TABLES)
    return path


def test_the_seeds_file_resolves_as_it_stands(toml: Path) -> None:
    config = run(path=toml)
    assert config.managers == (
        ManagerConfig(
            scheduler_address="tcp://127.0.0.1:8516",
            object_storage_address="tcp://127.0.0.1:8517",
            worker_manager_id="wm-batch",
            job_queue="scaler-batch-queue",
            job_definition="scaler-batch-job",
            s3_bucket="scaler-batch-123456789012-us-east-1",
        ),
    )
    assert config.notes == ()


def test_the_seeds_command_line_resolves_with_the_seeds_defaults() -> None:
    manager = one()
    assert manager.aws_region == "us-east-1"
    assert manager.s3_prefix == "scaler-tasks"
    assert manager.max_concurrent_jobs == 100
    assert manager.job_timeout_minutes == 60
    assert manager.backend == "batch"


def test_the_id_defaults_to_one_made_from_the_queues_name() -> None:
    assert one().worker_manager_id == "batch-scaler-batch-queue"


def test_the_default_id_of_a_queue_given_by_arn_uses_its_name_only() -> None:
    arn = "arn:aws:batch:us-east-1:123456789012:job-queue/night"
    assert one({"job_queue": arn}).worker_manager_id == "batch-night"


def test_the_default_id_of_a_long_queue_name_is_cut_to_what_an_id_may_be() -> None:
    assert len(one({"job_queue": "q" * 128}).worker_manager_id) == 64


def test_a_flag_wins_over_the_environment_and_the_environment_over_the_file(toml: Path) -> None:
    environ = {"SCALER_JOB_QUEUE": "from-env", "SCALER_S3_BUCKET": "from-env"}
    (manager,) = run({"job_queue": "from-flag"}, environ, toml).managers
    assert (manager.job_queue, manager.s3_bucket) == ("from-flag", "from-env")
    assert manager.job_definition == "scaler-batch-job"


def test_all_four_variables_of_the_env_file_are_read() -> None:
    environ = {
        "SCALER_AWS_REGION": "eu-west-1",
        "SCALER_S3_BUCKET": "env-bucket",
        "SCALER_JOB_QUEUE": "env-queue",
        "SCALER_JOB_DEFINITION": "env-job",
    }
    (manager,) = run({"scheduler_address": "tcp://h:1"}, environ).managers
    assert manager.aws_region == "eu-west-1"
    assert manager.s3_bucket == "env-bucket"
    assert (manager.job_queue, manager.job_definition) == ("env-queue", "env-job")


def test_an_empty_variable_is_not_given(toml: Path) -> None:
    (manager,) = run(environ={"SCALER_JOB_QUEUE": ""}, path=toml).managers
    assert manager.job_queue == "scaler-batch-queue"


def test_the_region_falls_back_to_boto3s_own_and_then_to_us_east_1() -> None:
    assert run(REQUIRED, region="eu-central-1").managers[0].aws_region == "eu-central-1"
    assert run(REQUIRED, region=None).managers[0].aws_region == "us-east-1"


def test_boto3s_own_region_is_not_asked_for_when_one_is_given() -> None:
    def unwanted() -> str | None:
        raise AssertionError("asked")

    resolve({**REQUIRED, "aws_region": "us-west-2"}, {}, default_region=unwanted)


def test_boto3s_own_region_is_its_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "sa-east-1")
    assert find_boto3_region() == "sa-east-1"


def test_a_profile_that_is_missing_is_a_configuration_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    with pytest.raises(ConfigError, match="nobody"):
        find_boto3_region()


def test_several_tables_give_several_managers_and_the_environment_only_fills(two: Path) -> None:
    environ = {"SCALER_S3_BUCKET": "env-bucket", "SCALER_JOB_QUEUE": "env-queue"}
    cpu, gpu = run(environ=environ, path=two).managers
    assert (cpu.job_queue, cpu.s3_bucket) == ("cpu-queue", "bucket")
    assert (gpu.job_queue, gpu.s3_bucket) == ("gpu-queue", "env-bucket")
    assert gpu.capabilities == {"gpu": 1}


def test_flags_go_to_the_table_that_the_id_names(two: Path) -> None:
    flags: dict[str, object] = {"worker_manager_id": "gpu", "max_concurrent_jobs": "7"}
    cpu, gpu = run(flags, {"SCALER_S3_BUCKET": "b-b"}, two).managers
    assert (cpu.max_concurrent_jobs, gpu.max_concurrent_jobs) == (100, 7)


def test_with_several_tables_a_flag_without_an_id_says_which_ids_there_are(two: Path) -> None:
    text = error_of({"max_concurrent_jobs": "7"}, {"SCALER_S3_BUCKET": "b-b"}, two)
    assert "--max-concurrent-jobs" in text
    assert "cpu, gpu" in text


def test_with_several_tables_an_unknown_id_says_which_ids_there_are(two: Path) -> None:
    text = error_of({"worker_manager_id": "tpu"}, {"SCALER_S3_BUCKET": "b-b"}, two)
    assert "--worker-manager-id tpu" in text
    assert "cpu, gpu" in text


def test_flags_of_the_whole_engine_need_no_id(two: Path) -> None:
    config = run({"logging_level": "DEBUG"}, {"SCALER_S3_BUCKET": "b-b"}, two)
    assert config.logging_level == "DEBUG"


def test_two_tables_of_one_id_are_refused(two: Path) -> None:
    two.write_text(TWO_TABLES.replace('"gpu"', '"cpu"'))
    assert "worker_manager_id cpu" in error_of({}, {"SCALER_S3_BUCKET": "b-b"}, two)


def test_tables_that_disagree_on_what_the_engine_shares_are_refused(two: Path) -> None:
    with_levels = TWO_TABLES.replace('_id = "cpu"', '_id = "cpu"\nlogging_level = "DEBUG"')
    two.write_text(with_levels.replace('_id = "gpu"', '_id = "gpu"\nlogging_level = "INFO"'))
    environ = {"SCALER_S3_BUCKET": "b-b"}
    assert "--logging-level" in error_of({}, environ, two)
    assert run({"logging_level": "ERROR"}, environ, two).logging_level == "ERROR"


def test_what_belongs_to_other_programs_is_left_alone_with_a_note(toml: Path) -> None:
    toml.write_text(
        SEED_TABLE + '\n[[worker_manager]]\ntype = "baremetal_native"\nmode = "fixed"\n[scheduler]\nx = 1\n'
    )
    config = run(path=toml)
    assert len(config.managers) == 1
    (note,) = config.notes
    assert "[scheduler]" in note
    assert "baremetal_native" in note


def test_a_single_table_written_as_a_table_is_taken(toml: Path) -> None:
    toml.write_text(SEED_TABLE.replace("[[worker_manager]]", "[worker_manager]"))
    assert run(path=toml).managers[0].worker_manager_id == "wm-batch"


def test_keys_of_the_file_may_be_written_with_hyphens(toml: Path) -> None:
    toml.write_text(SEED_TABLE.replace("max_concurrent_jobs = 100", "max-concurrent-jobs = 5"))
    assert run(path=toml).managers[0].max_concurrent_jobs == 5


def test_a_misspelt_key_of_the_file_suggests_the_right_one(toml: Path) -> None:
    toml.write_text(SEED_TABLE + "max_concurent_jobs = 5\n")
    text = error_of(path=toml)
    assert "max_concurent_jobs" in text
    assert "did you mean max_concurrent_jobs?" in text


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[scheduler]\n", 'type = "aws_hpc"'),
        ("not toml", "is not TOML"),
        ("worker_manager = 5\n", "[[worker_manager]]"),
        ("worker_manager = [5]\n", "[[worker_manager]]"),
    ],
)
def test_a_file_that_does_not_fit_says_what_was_expected(toml: Path, content: str, says: str) -> None:
    toml.write_text(content)
    assert says in error_of(path=toml)


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    assert str(tmp_path / "none.toml") in error_of(path=tmp_path / "none.toml")


def test_a_file_that_is_not_text_is_a_configuration_error(toml: Path) -> None:
    toml.write_bytes(b"\xff\xfe\x00")
    assert "is not TOML" in error_of(path=toml)


def test_all_that_is_missing_is_said_at_once() -> None:
    text = error_of({"scheduler_address": "tcp://h:1"})
    for way in ("--job-queue", "SCALER_JOB_DEFINITION", "--s3-bucket"):
        assert way in text
    assert "scheduler_address" not in text


def test_a_wrong_value_of_the_environment_names_the_variable() -> None:
    assert "SCALER_AWS_REGION" in error_of(REQUIRED, {"SCALER_AWS_REGION": "here"})


def test_a_wrong_value_of_the_file_names_file_and_table(toml: Path) -> None:
    toml.write_text(SEED_TABLE.replace("= 100", '= "lots"'))
    assert f"max_concurrent_jobs in {toml}, table 1 is 'lots'" in error_of(path=toml)


def test_what_the_command_line_did_not_get_is_not_given(toml: Path) -> None:
    (manager,) = run({"job_queue": None, "logging_paths": []}, {}, toml).managers
    assert manager.job_queue == "scaler-batch-queue"


@pytest.mark.parametrize("given", ['"gpu, large"', '["gpu", "large"]'])
def test_a_table_may_be_reserved_for_what_tasks_ask_for(tmp_path: Path, given: str) -> None:
    path = tmp_path / "reserved.toml"
    path.write_text(f"{TWO_TABLES}reserved_for = {given}\n")
    managers = resolve({"s3_bucket": "bucket", "worker_manager_id": "gpu"}, {}, path).managers
    assert [manager.reserved_for for manager in managers] == [(), ("gpu", "large")]


def test_a_scheduler_all_of_whose_tables_are_reserved_is_refused(toml: Path) -> None:
    toml.write_text(f'{SEED_TABLE}reserved_for = ["gpu"]\n')
    with pytest.raises(ConfigError, match=r"every table of the scheduler .* is reserved_for something"):
        resolve({}, {}, toml)
