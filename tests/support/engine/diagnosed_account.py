"""AWS as a table of answers, for tests: what each call returns, or which error it raises, and what was asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from engine.aws.errors import AwsError, classify_answer
from engine.diagnosis.diagnose import Diagnoser
from engine.diagnosis.model import Diagnosis

NOW = 1_700_000_000.0
REGION = "us-east-1"
ACCOUNT = "123456789012"
QUEUE = f"arn:aws:batch:{REGION}:{ACCOUNT}:job-queue/jobs"
ENVIRONMENT = f"arn:aws:batch:{REGION}:{ACCOUNT}:compute-environment/compute"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/worker:1"
JOB = "job-1"

# how certain a verdict is, and what AWS says of the head of a queue
AWS, EVIDENCE, MAY_PASS = "AWS says so", "by evidence", "may pass: less than ten minutes"
CAPACITY = (
    "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - Service cannot fulfill the capacity requested for instance type [m6i]"
)
NO_MATCH = "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - The job resource requirement is higher than CE(s) can meet"

Answer = Mapping[str, Any] | AwsError | Callable[..., Mapping[str, Any]]


@dataclass
class Account:
    """Answers that are not given are AccessDenied, as for a role that was granted nothing else."""

    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def call(self, service: str, operation: str, **parameters: Any) -> Mapping[str, Any]:
        self.asked.append(operation)
        answer = self.answers.get(operation, denied())
        if isinstance(answer, AwsError):
            raise answer
        return answer(**parameters) if callable(answer) else answer


@dataclass
class Clock:
    """Moves only when somebody sleeps."""

    now: float = NOW

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def denied(code: str = "AccessDeniedException") -> AwsError:
    return classify_answer("Any", 403, code, "not authorized to perform it")


def refused(code: str) -> AwsError:
    return classify_answer("Any", 400, code, "it does not exist")


def job(job_id: str = JOB, status: str = "RUNNABLE", **more: Any) -> dict[str, Any]:
    resources = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "3686"}]
    return {
        "jobId": job_id,
        "jobName": "price",
        "status": status,
        "jobQueue": QUEUE,
        "jobDefinition": "definition:1",
        "createdAt": int((NOW - 900) * 1000),
        "container": {"image": IMAGE, "resourceRequirements": resources},
        **more,
    }


def environment(**resources: Any) -> dict[str, Any]:
    return {
        "computeEnvironmentName": "compute",
        "computeEnvironmentArn": ENVIRONMENT,
        "state": "ENABLED",
        "status": "VALID",
        "statusReason": "ComputeEnvironment Healthy",
        "ecsClusterArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/AWSBatch-compute",
        "computeResources": {
            "type": "EC2",
            "maxvCpus": 256,
            "desiredvCpus": 4,
            "instanceTypes": ["m6i"],
            "subnets": ["subnet-1"],
            "instanceRole": f"arn:aws:iam::{ACCOUNT}:instance-profile/instances",
            **resources,
        },
    }


def snapshot(*job_ids: str, waited_s: float = 900) -> dict[str, Any]:
    since = int((NOW - waited_s) * 1000)
    jobs = [{"jobArn": f"arn:aws:batch:::job/{job_id}", "earliestTimeAtPosition": since} for job_id in job_ids]
    return {"frontOfQueue": {"jobs": jobs, "lastUpdatedAt": since}}


def instance_type(name: str, vcpus: int, memory_mib: int) -> dict[str, Any]:
    return {
        "InstanceType": name,
        "VCpuInfo": {"DefaultVCpus": vcpus},
        "MemoryInfo": {"SizeInMiB": memory_mib},
        "ProcessorInfo": {"SupportedArchitectures": ["x86_64"]},
    }


def activity(status: str, message: str = "") -> dict[str, Any]:
    started = datetime.fromtimestamp(NOW - 60, UTC)
    return {"StatusCode": status, "StatusMessage": message, "StartTime": started}


def healthy() -> Account:
    """One job, at the head for fifteen minutes, and nothing wrong that can be seen."""
    group = "AWSBatch-compute-asg-1"
    image = '{"manifests": [{"digest": "sha256:a", "platform": {"architecture": "amd64"}}]}'
    return Account(
        {
            "describe_jobs": {"jobs": [job()]},
            "describe_job_queues": {"jobQueues": [queue()]},
            "describe_compute_environments": {"computeEnvironments": [environment()]},
            "get_job_queue_snapshot": snapshot(JOB),
            "describe_subnets": {"Subnets": [subnet()]},
            "describe_instance_types": {"InstanceTypes": [instance_type("m6i.large", 2, 8192)]},
            "describe_instance_type_offerings": {
                "InstanceTypeOfferings": [{"InstanceType": "m6i.large", "Location": "us-east-1a"}]
            },
            "describe_auto_scaling_groups": {"AutoScalingGroups": [{"AutoScalingGroupName": group}]},
            "describe_scaling_activities": {"Activities": [activity("Successful")]},
            "get_service_quota": {"Quota": {"Value": 1152.0}},
            "list_container_instances": {"containerInstanceArns": ["instance"]},
            "describe_container_instances": {"containerInstances": [{"agentConnected": True}]},
            "get_instance_profile": {"InstanceProfile": {"Roles": [{"RoleName": "instances"}]}},
            "list_attached_role_policies": {
                "AttachedPolicies": [{"PolicyName": "AmazonEC2ContainerServiceforEC2Role"}]
            },
            "describe_route_tables": {"RouteTables": [route_table("nat-1")]},
            "describe_vpc_endpoints": {"VpcEndpoints": []},
            "describe_images": {"imageDetails": [{}]},
            "batch_get_image": {"images": [{"imageManifest": image}]},
        }
    )


def queue(**more: Any) -> dict[str, Any]:
    order = [{"order": 1, "computeEnvironment": ENVIRONMENT}]
    known = {"jobQueueName": "jobs", "jobQueueArn": QUEUE, "state": "ENABLED", "status": "VALID"}
    return {**known, "computeEnvironmentOrder": order, **more}


def subnet(free: int = 200, public: bool = True) -> dict[str, Any]:
    return {
        "SubnetId": "subnet-1",
        "VpcId": "vpc-1",
        "AvailabilityZone": "us-east-1a",
        "AvailableIpAddressCount": free,
        "MapPublicIpOnLaunch": public,
        "CidrBlock": "10.0.1.0/24",
    }


def route_table(gateway: str | None, **more: Any) -> dict[str, Any]:
    routes: list[dict[str, Any]] = [{"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local"}]
    if gateway is not None:
        key = "NatGatewayId" if gateway.startswith("nat-") else "GatewayId"
        routes.append({"DestinationCidrBlock": "0.0.0.0/0", key: gateway, **more})
    return {"RouteTableId": "rtb-1", "VpcId": "vpc-1", "Associations": [{"Main": True}], "Routes": routes}


def diagnosis(account: Account, job_id: str | None = JOB, queue: str = "jobs") -> Diagnosis:
    clock = Clock()
    return Diagnoser(account, clock, clock.sleep, region=REGION).diagnose(queue, job_id)


def with_answers(**answers: object) -> Account:
    account = healthy()
    account.answers.update(answers)  # type: ignore[arg-type]
    return account


def with_job(**more: object) -> Account:
    return with_answers(describe_jobs={"jobs": [job(**more)]})  # type: ignore[arg-type]


def with_environment(state: str = "ENABLED", status: str = "VALID", **resources: object) -> Account:
    found = {**environment(**resources), "state": state, "status": status}
    return with_answers(describe_compute_environments={"computeEnvironments": [found]})


def for_minutes(minutes: float, reason: str) -> Account:
    """At the head for so long, with that reason against its name."""
    account = with_job(statusReason=reason)
    account.answers["get_job_queue_snapshot"] = snapshot(JOB, waited_s=60 * minutes)
    return account
