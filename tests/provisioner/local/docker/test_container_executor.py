"""Jobs of the local AWS in containers of a real engine, and the registry in ECR's place."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from provisioner.local.aws import LocalAWS
from provisioner.local.docker.docker_engine import LABEL
from tests.support.docker.base_image import TAG
from tests.support.docker.engine import ContainerEngine
from tests.support.local_aws.account import Account, definition_request, open_account

pytestmark = pytest.mark.long

TIME_SCALE = 0.05  # of AWS's 30 s from SIGTERM to SIGKILL, 1.5 s
PATIENCE_S = 30.0
LISTENING = "import sys, time; print('listening', flush=True); time.sleep(60)"
OBEDIENT = f"import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(3)); {LISTENING}"
WHO = """
import os
print(os.getuid(), os.getgid())
facts = dict(line.split(":") for line in open("/proc/self/status"))
for name in ("CapEff", "NoNewPrivs"):
    print(f"{name}: {facts[name].strip()}")
for place in ("/", "/usr", "/tmp"):
    print(place, os.access(place, os.W_OK))
"""
OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"


@pytest.fixture(scope="module")
def engine(container_daemon: ContainerEngine) -> Iterator[ContainerEngine]:
    """The engine that this process and what it starts find by their environment."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in container_daemon.environ.items():
            patch.setenv(name, value)
        yield container_daemon


@pytest.fixture(scope="module")
def shared_account(engine: ContainerEngine) -> Iterator[Account]:
    with LocalAWS(containers=True, time_scale=TIME_SCALE) as aws:
        account = open_account(aws)
        define(account, "python", TAG)
        yield account


def define(account: Account, name: str, image: str, memory: int = 64) -> None:
    """Runs the Python source that a job brings."""
    request = definition_request(name, ["python3", "-c", "Ref::code"], memory)
    request["containerProperties"]["image"] = image
    account.batch.register_job_definition(**request)


def until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def test_a_job_runs_as_nobody_who_can_change_nothing(account: Account) -> None:
    job = account.run(WHO)
    assert (job["status"], job["container"]["exitCode"]) == ("SUCCEEDED", 0)
    assert account.lines(job) == [
        "65534 65534",
        "CapEff: 0000000000000000",
        "NoNewPrivs: 1",
        "/ False",
        "/usr False",
        "/tmp True",
    ]


def test_a_job_finds_what_batch_tells_it_and_nothing_of_this_machine(account: Account) -> None:
    job = account.run(
        "import os; print(sorted(os.environ))", containerOverrides={"environment": [{"name": "A", "value": "1"}]}
    )
    (printed,) = account.lines(job)
    assert "'AWS_BATCH_JOB_ID'" in printed
    assert "'A'" in printed
    assert "VIRTUAL_ENV" not in printed


def test_exit_codes_are_the_containers(account: Account) -> None:
    job = account.run("raise SystemExit(7)")
    assert (job["status"], job["container"]["exitCode"]) == ("FAILED", 7)
    assert job["statusReason"] == "Essential container in task exited"


def test_a_job_that_needs_more_memory_than_it_has_is_killed_for_it(account: Account) -> None:
    job = account.run("bytearray(200_000_000).find(1)")
    assert (job["container"]["exitCode"], job["container"]["reason"]) == (137, OUT_OF_MEMORY)


def test_an_image_that_can_not_be_pulled_is_the_reason(account: Account) -> None:
    define(account, "unknown", "127.0.0.1:9/nothing@sha256:" + 64 * "0")
    job = account.run("", jobDefinition="unknown")
    assert job["statusReason"] == "Task failed to start"
    assert job["container"]["reason"].startswith("CannotPullContainerError: Error response from daemon: ")
    assert not {"exitCode", "logStreamName"} & set(job["container"])


@pytest.mark.parametrize(("code", "exit_code"), [(OBEDIENT, 3), (LISTENING, 137)], ids=["obedient", "deaf"])
def test_a_terminated_job_may_end_by_itself_before_it_is_killed(account: Account, code: str, exit_code: int) -> None:
    job_id = account.submit(code)
    job = account.until(job_id, "RUNNING")
    until(lambda: account.lines(job) == ["listening"], "the job says nothing")
    account.batch.terminate_job(jobId=job_id, reason="enough")
    job = account.ended(job_id)
    assert (job["statusReason"], job["container"]["exitCode"]) == ("enough", exit_code)


def test_a_pushed_image_is_known_to_ecr_and_pulled_by_its_digest(
    account: Account, engine: ContainerEngine, tmp_path: Path
) -> None:
    ecr = account.aws.client("ecr")
    uri = ecr.create_repository(repositoryName="worker")["repository"]["repositoryUri"]
    engine.docker("tag", TAG, f"{uri}:one")
    with pytest.raises(subprocess.CalledProcessError):
        engine.docker("push", f"{uri}:one")
    log_in(ecr, tmp_path)
    engine.docker("--config", str(tmp_path), "push", f"{uri}:one")
    (found,) = ecr.describe_images(repositoryName="worker", imageIds=[{"imageTag": "one"}])["imageDetails"]
    engine.docker("rmi", f"{uri}:one")
    define(account, "pushed", f"{uri}@{found['imageDigest']}")
    assert account.run("print('pulled')", jobDefinition="pushed")["status"] == "SUCCEEDED"
    with pytest.raises(ClientError, match="still contains images"):
        ecr.delete_repository(repositoryName="worker")
    ecr.delete_repository(repositoryName="worker", force=True)
    ecr.create_repository(repositoryName="worker")
    assert ecr.list_images(repositoryName="worker")["imageIds"] == []


def log_in(ecr: Any, config: Path) -> None:
    granted = ecr.get_authorization_token()["authorizationData"][0]
    user, _, password = base64.b64decode(granted["authorizationToken"]).decode().partition(":")
    login = ["login", "--username", user, "--password-stdin", granted["proxyEndpoint"]]
    subprocess.run(
        ["docker", "--config", str(config), *login], input=password.encode(), check=True, capture_output=True
    )


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_no_container_outlives_the_local_aws(engine: ContainerEngine, how: str, tmp_path: Path) -> None:
    aws = LocalAWS(tmp_path, containers=True)
    aws.start()
    account = open_account(aws)
    define(account, "python", TAG)
    before = set(containers(engine))
    for _ in range(3):
        account.submit(LISTENING, jobDefinition="python")
    until(lambda: len(set(containers(engine)) - before) == 3, "the jobs don't start")
    if how == "killed":
        os.kill(aws.pid, signal.SIGKILL)
    aws.stop()
    until(lambda: not set(containers(engine)) - before, "containers are left")
    until(lambda: not programs_of(tmp_path), "processes are left")


def test_what_an_earlier_one_left_is_removed_and_what_is_not_ours_stays(
    engine: ContainerEngine, tmp_path: Path
) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    left = engine.docker("create", "--label", f"{LABEL}={ended.pid}-1", TAG).strip()
    others = engine.docker("create", TAG).strip()
    with LocalAWS(tmp_path, containers=True):
        assert left not in containers(engine)
        assert others in containers(engine)
    engine.docker("rm", others)


def containers(engine: ContainerEngine) -> list[str]:
    return engine.docker("ps", "--all", "--quiet", "--no-trunc").split()


def programs_of(folder: Path) -> list[str]:
    """Command lines that name the folder: the local AWS's and the registry's do."""
    lines = [read(path) for path in Path("/proc").glob("[0-9]*/cmdline")]
    return [line for line in lines if str(folder) in line]


def read(path: Path) -> str:
    try:
        return path.read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""
