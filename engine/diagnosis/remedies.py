"""Remedies: what can be done, as commands that can be copied into a shell as they are."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from typing import Final

from engine.aws import limits
from engine.diagnosis.evidence import (
    DiagnosedJob,
    Egress,
    EndpointFault,
    EndpointLack,
    Environment,
    Evidence,
    VcpuQuota,
)
from engine.diagnosis.model import Remedy, RemedyTarget

INSTANCE_POLICY: Final = "AmazonEC2ContainerServiceforEC2Role"
TIME_LIMIT_S: Final = 900
ENDPOINT_GROUP: Final = "aws-endpoints"
"""Name of the security group that a remedy makes."""


def aws_command(evidence: Evidence, *words: str) -> str:
    """A command of the AWS CLI in the queue's region."""
    return shlex.join(("aws", *words, *_region(evidence)))


def enable_queue(evidence: Evidence) -> Remedy:
    """Set a DISABLED queue to ENABLED."""
    words = ("batch", "update-job-queue", "--job-queue", evidence.queue_name, "--state", "ENABLED")
    return Remedy("enable the queue", aws_command(evidence, *words), RemedyTarget.QUEUE)


def describe_queue(evidence: Evidence) -> Remedy:
    """Show the queue's status and AWS's reason for it."""
    words = ("batch", "describe-job-queues", "--job-queues", evidence.queue_name)
    return Remedy("see what AWS says about the queue", aws_command(evidence, *words), RemedyTarget.QUEUE)


def enable_environment(evidence: Evidence, environment: Environment) -> Remedy:
    """Set a DISABLED compute environment to ENABLED."""
    return _update(evidence, environment, f"enable {environment.name}", "--state", "ENABLED")


def describe_environment(evidence: Evidence, environment: Environment) -> Remedy:
    """Show the environment's status and AWS's reason for it, which names what to correct."""
    words = ("batch", "describe-compute-environments", "--compute-environments", environment.name)
    text = f"correct what AWS says about {environment.name}"
    return Remedy(text, aws_command(evidence, *words), RemedyTarget.ENVIRONMENT)


def describe_environments(evidence: Evidence, environments: tuple[Environment, ...]) -> tuple[Remedy, ...]:
    """One remedy an environment, see `describe_environment`."""
    return tuple(describe_environment(evidence, one) for one in environments)


def provision_again(evidence: Evidence) -> Remedy:
    """Repair a stack that the provisioner made."""
    return Remedy("if scaler-batch made it: repair it", _own_command(evidence, "provision"), RemedyTarget.STACK)


def raise_max_vcpus(evidence: Evidence, environment: Environment, vcpus: int) -> Remedy:
    """Raise maxvCpus of an environment."""
    text = f"let {environment.name} grow to {vcpus} vCPUs"
    return _update(evidence, environment, text, "--compute-resources", f"maxvCpus={vcpus}")


def add_instance_types(evidence: Evidence, environment: Environment, types: tuple[str, ...], what: str) -> Remedy:
    """Let an environment start more instance types beside its own; `what` tells people which."""
    return set_instance_types(evidence, environment, (*environment.instance_types, *types), what)


def set_instance_types(evidence: Evidence, environment: Environment, types: tuple[str, ...], what: str) -> Remedy:
    """Replace the instance types of an environment; `what` tells people by which."""
    text = f"let {environment.name} start {what}"
    return _update(evidence, environment, text, "--compute-resources", f"instanceTypes={','.join(types)}")


def add_zones(evidence: Evidence) -> tuple[Remedy, ...]:
    """List the subnets of other zones; no remedy while the subnets' VPC is not known."""
    subnets = (evidence.subnets.value or ()) if evidence.subnets is not None else ()
    vpcs = sorted({subnet.vpc for subnet in subnets})
    if not vpcs:
        return ()
    words = ("ec2", "describe-subnets", "--filters", f"Name=vpc-id,Values={vpcs[0]}")
    text = "add subnets of other zones to the environments: these are the VPC's"
    return (Remedy(text, aws_command(evidence, *words), RemedyTarget.NETWORK),)


def request_less() -> Remedy:
    """Make jobs smaller; there is no command for it."""
    text = "ask for less: in the job definition, or as `vcpus` and `memory` of the task's capabilities"
    return Remedy(text, target=RemedyTarget.JOB)


def run_doctor(evidence: Evidence) -> Remedy:
    """Examine credentials and permissions with the doctor."""
    return Remedy("see what these credentials may read", _own_command(evidence, "doctor"))


def diagnose_head(evidence: Evidence, head: str) -> Remedy:
    """Diagnose the job at the queue's head, for which the others wait."""
    command = _own_command(evidence, "doctor", "--job", head)
    return Remedy("see why the head of the queue waits", command, RemedyTarget.JOB)


def terminate_job(evidence: Evidence, job: DiagnosedJob) -> Remedy:
    """Terminate the job."""
    words = ("batch", "terminate-job", "--job-id", job.id, "--reason", "stuck in RUNNABLE")
    text = "give the job up; keep AWS's reason first, terminating erases it"
    return Remedy(text, aws_command(evidence, *words), RemedyTarget.JOB)


def limit_waiting(evidence: Evidence, reason: str) -> Remedy:
    """Let AWS cancel what waits too long at the queue's head.

    https://docs.aws.amazon.com/batch/latest/APIReference/API_JobStateTimeLimitAction.html
    """
    limit = f"reason={reason},state=RUNNABLE,maxTimeSeconds={TIME_LIMIT_S},action=CANCEL"
    words = ("batch", "update-job-queue", "--job-queue", evidence.queue_name, "--job-state-time-limit-actions", limit)
    text = "let AWS cancel a job that blocks the queue for 15 minutes"
    return Remedy(text, aws_command(evidence, *words), RemedyTarget.QUEUE)


def raise_quota(evidence: Evidence, quota: VcpuQuota, vcpus: int) -> Remedy:
    """Request a higher vCPU quota."""
    words = ("--service-code", quota.service, "--quota-code", quota.code, "--desired-value", str(vcpus))
    command = aws_command(evidence, "service-quotas", "request-service-quota-increase", *words)
    return Remedy(f"ask AWS for {vcpus} vCPUs of {quota.name}", command, RemedyTarget.QUOTA)


def let_launches_use_key(evidence: Evidence) -> Remedy:
    """Let the roles that launch instances encrypt disks: the key's policy must say it."""
    words = ("--format", "policy", "--only", "kms-key", "--kms-key", "ARN")
    text = "give the key a policy like the one that this prints, by its ARN and with `--spot` where there is Spot"
    return Remedy(text, _own_command(evidence, "export", *words), RemedyTarget.ROLE)


def attach_instance_policy(role: str, partition: str) -> Remedy:
    """Attach AWS's managed policy that lets instances join ECS clusters; IAM has no region."""
    arn = f"arn:{partition}:iam::aws:policy/service-role/{INSTANCE_POLICY}"
    words = ("aws", "iam", "attach-role-policy", "--role-name", role, "--policy-arn", arn)
    return Remedy(f"let the instances' role {role} join ECS clusters", shlex.join(words), RemedyTarget.ROLE)


def give_public_addresses(evidence: Evidence, egress: Egress) -> Remedy:
    """Let a subnet with an internet gateway give its instances public addresses."""
    words = ("ec2", "modify-subnet-attribute", "--subnet-id", egress.subnet, "--map-public-ip-on-launch")
    text = f"give instances in {egress.subnet} public addresses, or use a NAT gateway"
    return Remedy(text, aws_command(evidence, *words), RemedyTarget.NETWORK)


def create_endpoint(evidence: Evidence, egress: Egress, service: str) -> Remedy:
    """Create a VPC endpoint for a service that a subnet can't reach; S3's is a gateway.

    The others get the group of `make_endpoint_group`: the VPC's default one lets in only itself.
    """
    text = f"make an endpoint for {service} (or route {egress.subnet} to a NAT gateway)"
    if evidence.region.startswith("cn-"):  # the names of services differ there, one from another
        return Remedy(text, target=RemedyTarget.NETWORK)
    name = f"com.amazonaws.{evidence.region}.{service}"
    words = ["ec2", "create-vpc-endpoint", "--vpc-id", egress.vpc, "--service-name", name]
    if service == "s3":
        words += ["--vpc-endpoint-type", "Gateway", "--route-table-ids", egress.route_table]
        return Remedy(text, aws_command(evidence, *words), RemedyTarget.NETWORK)
    words += ["--vpc-endpoint-type", "Interface", "--subnet-ids", egress.subnet]
    command = f"{aws_command(evidence, *words)} --security-group-ids {_endpoint_group(evidence, egress)}"
    return Remedy(text, command, RemedyTarget.NETWORK)


def make_endpoint_group(evidence: Evidence, egress: Egress) -> Remedy:
    """Create a security group for endpoints that lets in HTTPS from a subnet; a rule that is there may be refused."""
    text = f"first make a security group for endpoints that lets in the instances of {egress.subnet}"
    words = ("ec2", "create-security-group", "--group-name", ENDPOINT_GROUP, "--description", "HTTPS to AWS")
    made = aws_command(evidence, *words, "--vpc-id", egress.vpc)
    opened = _open_group(evidence, _endpoint_group(evidence, egress), egress)
    return Remedy(text, f"{made}; {opened}", RemedyTarget.NETWORK)


def mend_endpoint(evidence: Evidence, egress: Egress, lack: EndpointLack) -> Remedy:
    """Make an endpoint that is there serve the subnet; one that isn't available is looked at by a person."""
    what = f"{lack.endpoint}, the endpoint for {lack.service}"
    if lack.fault is EndpointFault.NO_PRIVATE_DNS:
        change = ("ec2", "modify-vpc-endpoint", "--vpc-endpoint-id", lack.endpoint, "--private-dns-enabled")
        return Remedy(f"give {what}, its private DNS name", aws_command(evidence, *change), RemedyTarget.NETWORK)
    if lack.fault is EndpointFault.CLOSED:
        command = _open_group(evidence, lack.group, egress)
        return Remedy(f"let {egress.subnet} into {what}", command, RemedyTarget.NETWORK)
    words = ("ec2", "describe-vpc-endpoints", "--vpc-endpoint-ids", lack.endpoint)
    return Remedy(f"see why {what}, is not available", aws_command(evidence, *words), RemedyTarget.NETWORK)


def leave_out_subnets(
    evidence: Evidence, environment: Environment, left: tuple[str, ...], without: Iterable[str]
) -> Remedy:
    """Let an environment start no instances in some of its subnets."""
    text = f"leave {', '.join(sorted(without))} out of {environment.name}"
    return _update(evidence, environment, text, "--compute-resources", f"subnets={','.join(left)}")


def _endpoint_group(evidence: Evidence, egress: Egress) -> str:
    """Shell expression for the id of the endpoints' group, which only AWS knows."""
    filters = (f"Name=group-name,Values={ENDPOINT_GROUP}", f"Name=vpc-id,Values={egress.vpc}")
    words = ("ec2", "describe-security-groups", "--filters", *filters, "--query", "SecurityGroups[0].GroupId")
    return f'"$({aws_command(evidence, *words, "--output", "text")})"'


def _open_group(evidence: Evidence, group: str, egress: Egress) -> str:
    words = ("ec2", "authorize-security-group-ingress", "--protocol", "tcp", "--port", "443", "--cidr", egress.cidr)
    return f"{aws_command(evidence, *words)} --group-id {group}"


def add_subnets() -> Remedy:
    """Use more subnets, or free addresses in them; there is no command for it."""
    text = "add subnets to the environments, or end what uses the addresses"
    return Remedy(text, target=RemedyTarget.NETWORK)


def read_log(evidence: Evidence, job: DiagnosedJob) -> Remedy:
    """Print the job's log."""
    group = job.log_group or limits.DEFAULT_LOG_GROUP
    words = ("logs", "get-log-events", "--log-group-name", group, "--log-stream-name", job.log_stream)
    return Remedy("read what it printed", aws_command(evidence, *words), RemedyTarget.JOB)


def build_image(evidence: Evidence) -> Remedy:
    """Build and push the image with the provisioner."""
    return Remedy("build and push the image", _own_command(evidence, "build-image"), RemedyTarget.IMAGE)


def describe_job(evidence: Evidence, job_id: str) -> Remedy:
    """Show a job as AWS has it."""
    command = aws_command(evidence, "batch", "describe-jobs", "--jobs", job_id)
    return Remedy("see what AWS knows of it", command, RemedyTarget.JOB)


def give_memory() -> Remedy:
    """Give tasks more memory; there is no command for it."""
    text = "give its tasks more memory: `memory` in their capabilities, or in the job definition"
    return Remedy(text, target=RemedyTarget.JOB)


def _update(evidence: Evidence, environment: Environment, text: str, *words: str) -> Remedy:
    update = ("batch", "update-compute-environment", "--compute-environment", environment.name)
    return Remedy(text, aws_command(evidence, *update, *words), RemedyTarget.ENVIRONMENT)


def _own_command(evidence: Evidence, command: str, *words: str) -> str:
    return shlex.join(("scaler-batch", command, *_region(evidence), *words))


def _region(evidence: Evidence) -> tuple[str, ...]:
    return ("--region", evidence.region) if evidence.region else ()
