"""How `scaler-batch` is called for a stack: the right one, in the engine's AWS, asked for as it was before."""

from __future__ import annotations

import subprocess
from pathlib import Path

import msgspec
import pytest
from typer.main import get_group

from console.tui.stack.process import PROGRAM, image_arguments, location_at, spec_arguments
from console.tui.stack.schema import read_report
from provisioner.cli import app
from provisioner.commands.flags import FLAGS
from provisioner.commands.options import command_options
from provisioner.json_schema import SavedReport, StackEntry
from provisioner.stack.naming import Stack
from provisioner.stack.saved_state import Provisioned
from provisioner.stack.spec import ProvisionSpec
from tests.support.console import stack_samples as samples

ENTRY = msgspec.convert(samples.ENTRY, StackEntry)


def test_what_was_asked_for_is_asked_for_again() -> None:
    words = spec_arguments(msgspec.structs.replace(ENTRY, spot=True, job_timeout_minutes=90), samples.NEW_IMAGE)
    options = dict(zip(words[:-1:2], words[1::2], strict=True))
    assert words[-1] == "--spot"
    assert options == {
        "--region": samples.REGION,
        "--prefix": samples.PREFIX,
        "--image": samples.NEW_IMAGE,
        "--vcpus": "1",
        "--memory": "4096",
        "--gpus": "0",
        "--max-vcpus": "512",
        "--instance-types": "c7i,m7i.large",
        "--job-timeout": "90",
        "--s3-prefix": "scaler-tasks",
        "--expiry-days": "1",
        "--runnable-limit": "0",
    }


def test_an_image_is_built_for_the_processors_of_the_stack() -> None:
    graviton = msgspec.structs.replace(ENTRY, instance_types=("c7g.large",))
    assert image_arguments(ENTRY)[-2:] == ("--platform", "linux/amd64")
    assert image_arguments(graviton)[-2:] == ("--platform", "linux/arm64")


def test_the_engines_aws_counts_and_not_the_consoles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert "AWS_ENDPOINT_URL" not in location_at("").environ
    assert location_at("http://127.0.0.1:2").environ["AWS_ENDPOINT_URL"] == "http://127.0.0.1:2"


def test_for_programs_nothing_saved_is_an_empty_list(tmp_path: Path) -> None:
    shown = subprocess.run((*PROGRAM, "show", "--json"), cwd=tmp_path, capture_output=True, timeout=60, check=True)
    assert read_report(shown.stdout, SavedReport) == SavedReport()


def test_every_choice_of_a_stack_comes_back_as_the_same_choice() -> None:
    spec = ProvisionSpec(
        image="worker:1", region="eu-west-1", prefix="all", vcpus=2, memory=8192, gpus=1, max_vcpus=96,
        instance_types=("g5", "g6e.xlarge"), job_timeout=90, spot=True, vpc_id="vpc-0a1b", s3_prefix="tasks",
        subnet_ids=("subnet-0a", "subnet-1b"), permissions_boundary="arn:aws:iam::123456789012:policy/edge",
        expiry_days=3, runnable_limit=45, kms_key="arn:aws:kms:eu-west-1:123456789012:key/0a1b2c3d",
    )  # fmt: skip
    saved = Provisioned.of(spec, Stack(spec.region, spec.prefix, samples.ACCOUNT, "aws"))
    words = spec_arguments(read_report(msgspec.json.encode(saved), StackEntry))
    given = get_group(app).commands["plan"].make_context("plan", list(words)).params
    options = command_options(**{flag.name: given[flag.name] for flag in FLAGS})
    assert options.based_on(None, spec.region).spec == spec
