"""What can be done, as commands that can be copied into a shell as they are."""

from __future__ import annotations

import shlex
from typing import Final

from engine.diagnosis.evidence import DiagnosedJob, Egress, Environment, Evidence, VcpuQuota
from engine.diagnosis.model import Remedy

INSTANCE_POLICY: Final = "AmazonEC2ContainerServiceforEC2Role"
PATIENCE_S: Final = 900


def aws(evidence: Evidence, *words: str) -> str:
    """A command of the AWS CLI in the queue's region."""
    return shlex.join(("aws", *words, *_region(evidence)))


def enable_queue(evidence: Evidence) -> Remedy:
    words = ("batch", "update-job-queue", "--job-queue", evidence.queue_name, "--state", "ENABLED")
    return Remedy("enable the queue", aws(evidence, *words))


def look_at_queue(evidence: Evidence) -> Remedy:
    words = ("batch", "describe-job-queues", "--job-queues", evidence.queue_name)
    return Remedy("see what AWS says about the queue", aws(evidence, *words))


def enable_environment(evidence: Evidence, environment: Environment) -> Remedy:
    words = ("batch", "update-compute-environment", "--compute-environment", environment.name, "--state", "ENABLED")
    return Remedy(f"enable {environment.name}", aws(evidence, *words))


def look_at_environment(evidence: Evidence, environment: Environment) -> Remedy:
    words = ("batch", "describe-compute-environments", "--compute-environments", environment.name)
    return Remedy(f"correct what AWS says about {environment.name}", aws(evidence, *words))


def provision_again(evidence: Evidence) -> Remedy:
    return Remedy("if scaler-batch made it: repair it", _ours(evidence, "provision"))


def more_vcpus(evidence: Evidence, environment: Environment, vcpus: int) -> Remedy:
    return Remedy(
        f"let {environment.name} grow to {vcpus} vCPUs",
        aws(evidence, *_update(environment), "--compute-resources", f"maxvCpus={vcpus}"),
    )


def more_types(evidence: Evidence, environment: Environment, types: tuple[str, ...], why: str) -> Remedy:
    return only_types(evidence, environment, (*environment.instance_types, *types), why)


def only_types(evidence: Evidence, environment: Environment, types: tuple[str, ...], why: str) -> Remedy:
    allowed = f"instanceTypes={','.join(types)}"
    return Remedy(why, aws(evidence, *_update(environment), "--compute-resources", allowed))


def more_zones(evidence: Evidence) -> tuple[Remedy, ...]:
    """None while the subnets' VPC is not known."""
    subnets = (evidence.subnets.value or ()) if evidence.subnets is not None else ()
    vpcs = sorted({subnet.vpc for subnet in subnets})
    if not vpcs:
        return ()
    words = ("ec2", "describe-subnets", "--filters", f"Name=vpc-id,Values={vpcs[0]}")
    return (Remedy("add subnets of other zones to the environments: these are the VPC's", aws(evidence, *words)),)


def smaller_jobs() -> Remedy:
    return Remedy("ask for less: in the job definition, or as `vcpus` and `memory` of the task's capabilities")


def look_around(evidence: Evidence) -> Remedy:
    return Remedy("see what these credentials may read", _ours(evidence, "doctor"))


def diagnose_head(evidence: Evidence, head: str) -> Remedy:
    return Remedy("see why the head of the queue waits", _ours(evidence, "doctor", "--job", head))


def terminate(evidence: Evidence, job: DiagnosedJob) -> Remedy:
    words = ("batch", "terminate-job", "--job-id", job.id, "--reason", "stuck in RUNNABLE")
    return Remedy("give the job up; keep AWS's reason first, terminating erases it", aws(evidence, *words))


def limit_waiting(evidence: Evidence, reason: str) -> Remedy:
    """https://docs.aws.amazon.com/batch/latest/APIReference/API_JobStateTimeLimitAction.html"""
    limit = f"reason={reason},state=RUNNABLE,maxTimeSeconds={PATIENCE_S},action=CANCEL"
    words = ("batch", "update-job-queue", "--job-queue", evidence.queue_name, "--job-state-time-limit-actions", limit)
    return Remedy("let AWS cancel a job that blocks the queue for 15 minutes", aws(evidence, *words))


def raise_quota(evidence: Evidence, quota: VcpuQuota, vcpus: int) -> Remedy:
    place = ("--service-code", quota.service, "--quota-code", quota.code, "--desired-value", str(vcpus))
    return Remedy(
        f"ask AWS for {vcpus} vCPUs of {quota.name}",
        aws(evidence, "service-quotas", "request-service-quota-increase", *place),
    )


def attach_instance_policy(role: str, partition: str) -> Remedy:
    arn = f"arn:{partition}:iam::aws:policy/service-role/{INSTANCE_POLICY}"
    words = ("iam", "attach-role-policy", "--role-name", role, "--policy-arn", arn)
    return Remedy(f"let the instances' role {role} join ECS clusters", shlex.join(("aws", *words)))


def public_addresses(evidence: Evidence, way: Egress) -> Remedy:
    words = ("ec2", "modify-subnet-attribute", "--subnet-id", way.subnet, "--map-public-ip-on-launch")
    return Remedy(f"give instances in {way.subnet} public addresses, or use a NAT gateway", aws(evidence, *words))


def endpoint(evidence: Evidence, way: Egress, service: str) -> Remedy:
    text = f"make an endpoint for {service} (or route {way.subnet} to a NAT gateway)"
    if evidence.region.startswith("cn-"):  # the names of services differ there, one from another
        return Remedy(text)
    name = f"com.amazonaws.{evidence.region}.{service}"
    words = ["ec2", "create-vpc-endpoint", "--vpc-id", way.vpc, "--service-name", name]
    if service == "s3":
        words += ["--vpc-endpoint-type", "Gateway", "--route-table-ids", way.route_table]
    else:
        words += ["--vpc-endpoint-type", "Interface", "--subnet-ids", way.subnet]
    return Remedy(text, aws(evidence, *words))


def read_log(evidence: Evidence, job: DiagnosedJob) -> Remedy:
    group = job.log_group or "/aws/batch/job"
    words = ("logs", "get-log-events", "--log-group-name", group, "--log-stream-name", job.log_stream)
    return Remedy("read what it printed", aws(evidence, *words))


def build_image(evidence: Evidence) -> Remedy:
    return Remedy("build and push the image", _ours(evidence, "build-image"))


def look_at_job(evidence: Evidence, job_id: str) -> Remedy:
    return Remedy("see what AWS knows of it", aws(evidence, "batch", "describe-jobs", "--jobs", job_id))


def _update(environment: Environment) -> tuple[str, ...]:
    return ("batch", "update-compute-environment", "--compute-environment", environment.name)


def _ours(evidence: Evidence, command: str, *words: str) -> str:
    return shlex.join(("scaler-batch", command, *_region(evidence), *words))


def _region(evidence: Evidence) -> tuple[str, ...]:
    return ("--region", evidence.region) if evidence.region else ()
