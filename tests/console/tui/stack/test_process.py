"""How `scaler-batch` is called for a stack: the right one, in the engine's AWS, asked for as it was before."""

from __future__ import annotations

import inspect
import subprocess
from pathlib import Path

import msgspec
import pytest
from typer.main import get_group

from console.tui.stack.aws_commands import telling_command
from console.tui.stack.process import PROGRAM, image_words, place_at, spec_words
from console.tui.stack.schema import Saved, StackEntry, entry_of, read_report
from provisioner.cli import app
from provisioner.commands.options import asked
from provisioner.stack.naming import Stack
from provisioner.stack.saved_state import Provisioned
from provisioner.stack.spec import ProvisionSpec
from tests.support.console import stack_samples as samples

ENTRY = msgspec.convert(samples.ENTRY, StackEntry)
OTHER_ACCOUNT = msgspec.structs.replace(ENTRY, account="999999999999")


@pytest.mark.parametrize(
    ("queue", "found"),
    [
        (samples.QUEUE, OTHER_ACCOUNT),
        (f"arn:aws:batch:{samples.REGION}:{samples.ACCOUNT}:job-queue/{samples.QUEUE}", ENTRY),
        (f"arn:aws:batch:{samples.REGION}:111111111111:job-queue/{samples.QUEUE}", None),
        ("another", None),
    ],
)
def test_a_managers_queue_tells_its_stack(queue: str, found: StackEntry | None) -> None:
    assert entry_of([OTHER_ACCOUNT, ENTRY], samples.REGION, queue) is found
    assert entry_of([OTHER_ACCOUNT, ENTRY], "us-east-2", queue) is None


def test_what_was_asked_for_is_asked_for_again() -> None:
    words = spec_words(msgspec.structs.replace(ENTRY, spot=True, job_timeout_minutes=90), samples.NEW_IMAGE)
    asked = dict(zip(words[:-1:2], words[1::2], strict=True))
    assert words[-1] == "--spot"
    assert asked == {
        "--region": samples.REGION,
        "--prefix": samples.PREFIX,
        "--image": samples.NEW_IMAGE,
        "--vcpus": "1",
        "--memory": "4096",
        "--max-vcpus": "512",
        "--instance-types": "c7i,m7i.large",
        "--job-timeout": "90",
    }


def test_an_image_is_built_for_the_processors_of_the_stack() -> None:
    graviton = msgspec.structs.replace(ENTRY, instance_types=("c7g.large",))
    assert image_words(ENTRY)[-2:] == ("--platform", "linux/amd64")
    assert image_words(graviton)[-2:] == ("--platform", "linux/arm64")


def test_the_engines_aws_counts_and_not_the_consoles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert "AWS_ENDPOINT_URL" not in place_at("").environ
    assert place_at("http://127.0.0.1:2").environ["AWS_ENDPOINT_URL"] == "http://127.0.0.1:2"


def test_a_name_is_quoted_in_a_command_to_copy() -> None:
    assert telling_command("job queue", "a b", "eu-west-1").endswith("--job-queues 'a b' --region eu-west-1")
    assert "--region" not in telling_command("IAM role", "role", "eu-west-1")
    assert telling_command("fountain", "name", "eu-west-1") == ""


def test_for_programs_nothing_saved_is_an_empty_list(tmp_path: Path) -> None:
    shown = subprocess.run((*PROGRAM, "show", "--json"), cwd=tmp_path, capture_output=True, timeout=60, check=True)
    assert read_report(shown.stdout, Saved) == Saved()


def test_every_choice_of_a_stack_comes_back_as_the_same_choice() -> None:
    spec = ProvisionSpec(
        image="worker:1", region="eu-west-1", prefix="all", vcpus=2, memory=8192, gpus=1, max_vcpus=96,
        instance_types=("g5", "g6e.xlarge"), job_timeout=90, spot=True, vpc_id="vpc-0a1b", s3_prefix="tasks",
        subnet_ids=("subnet-0a", "subnet-1b"), permissions_boundary="arn:aws:iam::123456789012:policy/edge",
        expiry_days=3, runnable_limit=45,
    )  # fmt: skip
    saved = Provisioned.of(spec, Stack(spec.region, spec.prefix, samples.ACCOUNT, "aws"))
    words = spec_words(read_report(msgspec.json.encode(saved), StackEntry))
    given = get_group(app).commands["plan"].make_context("plan", list(words)).params
    assert asked(**{name: given[name] for name in inspect.signature(asked).parameters}).spec == spec
