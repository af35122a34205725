"""An account of the local AWS: clients, a queue, and definitions that run Python source or the real runner."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from provisioner.local.aws import LocalAWS
from tests.support.local_aws import programs
from tests.support.local_aws.prerequisites import compute_resources

PROGRAM = f"{programs.__file__}:main"
TIME_SCALE = 0.02  # AWS's minute is 1.2 s
FINISHED = ("SUCCEEDED", "FAILED")
BUCKET = "bucket"
PATIENCE_S = 60


@dataclass
class Account:
    """Clients of a local AWS, and the few calls that these tests need of them."""

    aws: LocalAWS
    batch: Any
    s3: Any
    logs: Any
    compute: dict[str, Any]

    def submit(self, code: str = "", **more: Any) -> str:
        arguments = {"jobName": "job", "jobQueue": "queue", "jobDefinition": "python", **more}
        answer = self.batch.submit_job(parameters={"code": code}, **arguments)
        return str(answer["jobId"])

    def job(self, job_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.batch.describe_jobs(jobs=[job_id])["jobs"][0]
        return found

    def until(self, job_id: str, *states: str) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE_S
        while (job := self.job(job_id))["status"] not in states:
            assert time.monotonic() < deadline, f"the job stays {job['status']}"
            time.sleep(0.01)
        return job

    def ended(self, job_id: str) -> dict[str, Any]:
        return self.until(job_id, *FINISHED)

    def run(self, code: str, **more: Any) -> dict[str, Any]:
        return self.ended(self.submit(code, **more))

    def lines(self, job: dict[str, Any]) -> list[str]:
        stream = job["container"]["logStreamName"]
        answer = self.logs.get_log_events(logGroupName="/aws/batch/job", logStreamName=stream)
        return [event["message"] for event in answer["events"]]


def environment_request(name: str, max_vcpus: int, compute: dict[str, Any]) -> dict[str, Any]:
    """`compute` is what `compute_resources` made."""
    return {
        "computeEnvironmentName": name,
        "type": "MANAGED",
        "computeResources": {**compute, "maxvCpus": max_vcpus},
    }


def queue_request(name: str, environment: str, priority: int = 1) -> dict[str, Any]:
    order = [{"order": 1, "computeEnvironment": environment}]
    return {"jobQueueName": name, "priority": priority, "computeEnvironmentOrder": order}


def definition_request(name: str, command: list[str], memory: int = 256) -> dict[str, Any]:
    resources = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": str(memory)}]
    container = {"image": "image", "command": command, "resourceRequirements": resources}
    return {"jobDefinitionName": name, "type": "container", "containerProperties": container}


def open_account(aws: LocalAWS) -> Account:
    account = Account(aws, aws.client("batch"), aws.client("s3"), aws.client("logs"), compute_resources(aws))
    account.s3.create_bucket(Bucket=BUCKET)
    account.batch.create_compute_environment(**environment_request("environment", 16, account.compute))
    account.batch.create_job_queue(**queue_request("queue", "environment"))
    account.batch.register_job_definition(**definition_request("python", ["Ref::code", "Ref::code2"]))
    return account
