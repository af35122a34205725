"""The doctor on an account: what it finds before and after provisioning, and what it says to do."""

from __future__ import annotations

import dataclasses
import json
import shlex
import socket
from pathlib import Path

import boto3
import pytest
import typer
from typer.testing import CliRunner

from engine.diagnosis.evidence import CheckId, Image
from engine.diagnosis.model import CheckStatus
from engine.diagnosis.reads import Reader
from engine.errors import ConfigError
from provisioner.clients import Clients
from provisioner.commands.doctor import doctor
from provisioner.doctor import scheduler
from provisioner.doctor.doctor import Doctor, DoctorRequest
from provisioner.doctor.finding import DoctorCheck, Finding
from provisioner.doctor.identity import Identity, check_credentials, check_region
from provisioner.doctor.permissions import NeededPolicy, check_policy
from provisioner.doctor.python_version import check_python_version
from provisioner.doctor.reads import ClientReads
from provisioner.doctor.scheduler import check_scheduler
from provisioner.export.policies import Principal
from provisioner.policies import manager_policy
from provisioner.stack.naming import Stack
from provisioner.stack.saved_state import Provisioned, save_entry
from provisioner.stack.spec import ProvisionSpec
from tests.support.engine.diagnosed_account import Account, Clock, denied, refused
from tests.support.provisioner.account import ACCOUNT, REGION
from tests.support.provisioner.stacks import apply, stack_for

REPOSITORY = "images"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{REPOSITORY}:1"
PRICING = Stack("eu-west-1", "pricing", ACCOUNT, "aws")
SPEC = ProvisionSpec(image=IMAGE)
INDEX = {
    "schemaVersion": 2,
    "mediaType": "application/vnd.oci.image.index.v1+json",
    "manifests": [{"digest": "sha256:" + "a" * 64, "platform": {"architecture": "amd64"}}],
}


@pytest.fixture
def account(clients: Clients) -> Clients:
    """With an image."""
    clients.call("ecr", "create_repository", {"repositoryName": REPOSITORY})
    image = {"repositoryName": REPOSITORY, "imageTag": "1", "imageManifest": json.dumps(INDEX)}
    clients.call("ecr", "put_image", image)
    return clients


def request(folder: Path) -> DoctorRequest:
    return DoctorRequest(region=REGION, prefix="scaler-batch", config=folder / "config.json")


def examine(clients: Clients, asked: DoctorRequest) -> dict[str, Finding]:
    """Findings by the id of their check."""
    findings = Doctor(clients=clients, request=asked, sleep=lambda seconds: None).examine()
    return {one.check.id: one for one in findings}


def results(found: dict[str, Finding], result: CheckStatus) -> list[str]:
    return [id_ for id_, one in found.items() if one.check.result is result]


def test_before_provisioning_nothing_fails_and_what_would_be_made_is_looked_at(
    account: Clients, tmp_path: Path
) -> None:
    found = examine(account, request(tmp_path))
    assert results(found, CheckStatus.FAIL) == []
    queue = found[CheckId.QUEUE]
    assert queue.check.result is CheckStatus.WARN
    assert queue.fixes[0].command == "scaler-batch provision --region us-east-1 --prefix scaler-batch"
    assert found[CheckId.EGRESS].check.result is CheckStatus.PASS
    assert found[CheckId.INSTANCE_FIT].check.result is CheckStatus.PASS


def test_after_provisioning_all_that_can_be_read_is_well(account: Clients, tmp_path: Path) -> None:
    apply(SPEC, account)
    found = examine(account, request(tmp_path))
    assert (results(found, CheckStatus.FAIL), results(found, CheckStatus.WARN)) == ([], [])
    assert f"{IMAGE} for amd64" in found[CheckId.IMAGE].check.evidence
    assert "may join a cluster" in found[CheckId.INSTANCE_ROLE].check.evidence


def test_what_was_provisioned_and_is_gone_is_a_failure(account: Clients, tmp_path: Path) -> None:
    asked = request(tmp_path)
    save_entry(Provisioned.of(SPEC, stack_for(SPEC, account)), asked.config)
    found = examine(account, asked)
    assert results(found, CheckStatus.FAIL) == [CheckId.QUEUE, CheckId.JOB_DEFINITION, CheckId.STACK_RESOURCES]


def test_the_policy_of_a_saved_stacks_key_is_looked_at(account: Clients, tmp_path: Path) -> None:
    asked, key = request(tmp_path), account.call("kms", "create_key", {})["KeyMetadata"]["Arn"]
    save_entry(Provisioned.of(dataclasses.replace(SPEC, kms_key=key), stack_for(SPEC, account)), asked.config)
    found = examine(account, asked)[CheckId.KMS_KEY]
    assert found.check.result is CheckStatus.WARN
    assert "AWSServiceRoleForAutoScaling" in found.check.evidence


@pytest.mark.long
def test_an_image_that_is_not_there_fails_with_its_fix(account: Clients, tmp_path: Path) -> None:
    apply(dataclasses.replace(SPEC, image=f"{IMAGE}2"), account)
    image = examine(account, request(tmp_path))[CheckId.IMAGE]
    assert image.check.result is CheckStatus.FAIL
    assert image.fixes[0].command == "scaler-batch build-image --region us-east-1"


@pytest.mark.long
def test_every_fix_is_a_command_that_a_shell_takes_apart(
    closed_account_url: str, session: boto3.Session, tmp_path: Path
) -> None:
    """An account without a way out of its VPC."""
    found = examine(Clients(REGION, session=session, endpoint_url=closed_account_url), request(tmp_path))
    assert found[CheckId.EGRESS].failed
    commands = [shlex.split(fix.command) for one in found.values() for fix in one.fixes if fix.command]
    assert {words[0] for words in commands} == {"aws", "scaler-batch"}


def test_without_credentials_only_they_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    clients = Clients(REGION, session=boto3.Session(region_name=REGION), endpoint_url="http://127.0.0.1:9")
    found = examine(clients, request(tmp_path))
    assert results(found, CheckStatus.FAIL) == [CheckId.CREDENTIALS]
    assert "NoCredentialsError" in found[CheckId.CREDENTIALS].check.evidence
    assert len(found) == 3


def region_of(region: str, *, opt_in: str = "opt-in-not-required") -> Finding:
    """Of an account that has us-east-1 and af-south-1."""
    regions = [{"RegionName": "us-east-1", "OptInStatus": "opt-in-not-required"}]
    regions.append({"RegionName": "af-south-1", "OptInStatus": opt_in})
    clock = Clock()
    return check_region(
        Clients(region), Reader(Account({"describe_regions": {"Regions": regions}}), clock, clock.sleep)
    )


def test_a_region_that_aws_does_not_have_fails() -> None:
    assert (region_of("us-east-9").failed, region_of("us-east-1").failed) == (True, False)


def test_a_region_that_is_not_enabled_fails_with_how_to_enable_it() -> None:
    found = region_of("af-south-1", opt_in="not-opted-in")
    assert found.failed
    assert found.fixes[0].command == "aws account enable-region --region-name af-south-1"
    assert not region_of("af-south-1", opt_in="opted-in").failed


def test_where_regions_may_not_be_asked_for_that_is_unknown() -> None:
    clock = Clock()
    found = check_region(Clients("af-south-1"), Reader(Account(), clock, clock.sleep))
    assert found.check.result is CheckStatus.UNKNOWN


def test_an_endpoint_that_nobody_answers_at_is_no_question_of_credentials() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        nobody = f"http://127.0.0.1:{server.getsockname()[1]}"
    keys = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)
    clients = Clients(REGION, session=keys, endpoint_url=nobody, attempts=1)
    clock = Clock()
    found, identity = check_credentials(Reader(ClientReads(clients), clock, clock.sleep))
    assert identity is None
    assert [fix.command for fix in found.fixes] == [""]
    assert "AWS_ENDPOINT_URL" in found.fixes[0].text


@pytest.mark.parametrize(
    ("image", "result"),
    [
        (None, CheckStatus.NOT_RUN),
        (Image(uri=IMAGE, in_ecr=True, exists=True), CheckStatus.UNKNOWN),
        (Image(uri=IMAGE, in_ecr=True, exists=True, python="3.11.9"), CheckStatus.PASS),
        (Image(uri=IMAGE, in_ecr=True, exists=True, python="3.12.1"), CheckStatus.WARN),
    ],
)
def test_the_image_s_python_is_held_against_this_one(image: Image | None, result: CheckStatus) -> None:
    assert check_python_version(image, (3, 11), PRICING).check.result is result


def test_an_image_of_another_python_is_built_again_for_its_own_stack() -> None:
    image = Image(uri=IMAGE, in_ecr=True, exists=True, python="3.12.1")
    [fix] = check_python_version(image, (3, 11), PRICING).fixes
    assert fix.command == "scaler-batch build-image --region eu-west-1 --prefix pricing --python 3.11"


def test_a_scheduler_that_cannot_be_reached_is_a_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
    assert check_scheduler(address, scheduler.connect).failed


@pytest.mark.parametrize(
    ("greeting", "result"),
    [(b"YMQ\x02", CheckStatus.PASS), (b"\xff\0\0\0", CheckStatus.FAIL), (b"YMQ\x01", CheckStatus.FAIL)],
)
def test_a_scheduler_of_another_transport_or_age_is_a_failure(
    greeting: bytes, result: CheckStatus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SCALER_NETWORK_BACKEND", raising=False)
    found = check_scheduler("tcp://10.0.0.1:8516", lambda host, port: greeting)
    assert found.check.result is result


def test_an_address_that_is_none_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--scheduler is 'somewhere'"):
        DoctorRequest(region=REGION, prefix="scaler-batch", config=tmp_path, scheduler="somewhere")


def permission(account: Account, missing: CheckStatus, arn: str = f"arn:aws:iam::{ACCOUNT}:user/me") -> Finding:
    """Of the manager's policy, in an account whose IAM answers as told."""
    stack = Stack(REGION, "scaler-batch", ACCOUNT, "aws")
    reads = ClientReads(Clients(REGION), allowed={"batch:DescribeJobQueues"})
    clock = Clock()
    reader = Reader(account, clock, clock.sleep)
    check = DoctorCheck(CheckId.MANAGER_PERMISSIONS, "may run")
    needed = NeededPolicy(check, manager_policy(stack), (Principal.MANAGER,), missing)
    return check_policy(reader, reads, Identity(ACCOUNT, arn), stack, needed)


def decided(**decisions: str) -> Account:
    def simulate(ActionNames: list[str], **_: object) -> dict[str, object]:
        names = [(name, decisions.get(name.partition(":")[2], "allowed")) for name in ActionNames]
        return {"EvaluationResults": [{"EvalActionName": name, "EvalDecision": how} for name, how in names]}

    return Account({"simulate_principal_policy": simulate})


def test_permissions_are_asked_of_iam_by_what_the_exported_policies_allow() -> None:
    assert permission(decided(), CheckStatus.FAIL).check.result is CheckStatus.PASS


def test_a_denied_action_is_named_with_the_policy_that_allows_it() -> None:
    found = permission(decided(SubmitJob="implicitDeny"), CheckStatus.FAIL)
    assert (found.failed, found.check.evidence) == (True, "denied: batch:SubmitJob")
    place = f"--region {REGION} --prefix scaler-batch"
    assert found.fixes[0].command == f"scaler-batch export {place} --format policy --only manager"


def test_where_iam_may_not_be_asked_the_doctor_s_own_reads_tell() -> None:
    found = permission(Account({"simulate_principal_policy": denied("AccessDenied")}), CheckStatus.FAIL)
    assert found.check.result is CheckStatus.UNKNOWN
    assert found.check.evidence.startswith("1 reads of this doctor were allowed")


@pytest.mark.parametrize("folder", ["", "people/"])
def test_a_session_s_role_is_asked_about_in_whatever_folder(folder: str) -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/{folder}ops"

    def simulate(PolicySourceArn: str, ActionNames: list[str], **_: object) -> dict[str, object]:
        if PolicySourceArn != role:
            raise refused("NoSuchEntity")
        return {"EvaluationResults": [{"EvalActionName": name, "EvalDecision": "allowed"} for name in ActionNames]}

    account = Account({"simulate_principal_policy": simulate, "get_role": {"Role": {"Arn": role}}})
    found = permission(account, CheckStatus.FAIL, arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/ops/me")
    assert found.check.result is CheckStatus.PASS
    assert ("get_role" in account.asked) == bool(folder)


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch, closed_account_url: str, tmp_path: Path) -> typer.Typer:
    """The command on an empty account, in a folder of its own."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_ENDPOINT_URL": closed_account_url,
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    found = typer.Typer()
    found.command()(doctor)
    return found


@pytest.mark.long
def test_a_failed_check_is_exit_code_1_and_the_json_tells_which(app: typer.Typer) -> None:
    """moto's default VPC has no way out."""
    ended = CliRunner().invoke(app, ["--json"])
    told = json.loads(ended.stdout)
    assert (ended.exit_code, told["ok"]) == (1, False)
    assert [one["id"] for one in told["checks"] if one["result"] == "fail"] == [CheckId.EGRESS]


def test_people_get_a_table_and_the_fixes(app: typer.Typer) -> None:
    told = CliRunner().invoke(app, []).stdout
    assert "the queue takes jobs" in told
    assert "scaler-batch provision --region us-east-1 --prefix scaler-batch" in told
    assert "1 of 15 checks failed." in told


def test_an_unknown_queue_is_diagnosed_and_fails(app: typer.Typer) -> None:
    ended = CliRunner().invoke(app, ["--queue", "nowhere", "--json"])
    assert (ended.exit_code, json.loads(ended.stdout)["verdict"]) == (1, "the queue does not exist")


def test_a_diagnosis_that_could_read_nothing_fails(app: typer.Typer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "none")
    ended = CliRunner().invoke(app, ["--job", "815c9cbd", "--json"])
    assert (ended.exit_code, json.loads(ended.stdout)["verdict"]) == (1, "no verdict")


def test_what_only_the_table_needs_is_refused_with_a_diagnosis(app: typer.Typer) -> None:
    ended = CliRunner().invoke(app, ["--queue", "nowhere", "--max-vcpus", "5"])
    assert isinstance(ended.exception, ConfigError)
