"""A stack of Scaler's own provisioner: what it saves, and what it makes that we give other names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from provisioner.clients import Clients
from tests.support.provisioner.account import ACCOUNT, REGION

ECS_TASKS = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [ECS_TASKS]})

RECORD: dict[str, Any] = {
    "aws_region": REGION,
    "aws_account_id": ACCOUNT,
    "prefix": "scaler-batch",
    "compute_type": "EC2",
    "s3_bucket": f"scaler-batch-{ACCOUNT}-{REGION}",
    "s3_prefix": "scaler-tasks",
    "iam_role_arn": f"arn:aws:iam::{ACCOUNT}:role/scaler-batch-job-role",
    "compute_environment_arn": f"arn:aws:batch:{REGION}:{ACCOUNT}:compute-environment/scaler-batch-compute",
    "job_queue_arn": f"arn:aws:batch:{REGION}:{ACCOUNT}:job-queue/scaler-batch-queue",
    "job_queue_name": "scaler-batch-queue",
    "job_definition_arn": f"arn:aws:batch:{REGION}:{ACCOUNT}:job-definition/scaler-batch-job:1",
    "job_definition_name": "scaler-batch-job",
    "container_image": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/scaler-batch-worker:latest",
    "vcpus": 1,
    "memory_mb": 1843,
    "instance_types": ["default_x86_64"],
}
"""As `AWSBatchInfrastructureProvisioner.provision_all` of Scaler 2.9 returns it."""


def save_record(path: Path) -> Path:
    """As its `save_config` writes it."""
    path.write_text(json.dumps(RECORD, indent=2))
    return path


def make_roles(clients: Clients) -> None:
    """What it makes in IAM, and the bucket."""
    for name in ("scaler-batch-job-role", "scaler-batch-instance-role"):
        clients.call("iam", "create_role", {"RoleName": name, "AssumeRolePolicyDocument": TRUST})
        policy = {"RoleName": name, "PolicyName": "scaler-batch-s3-policy", "PolicyDocument": _nothing()}
        clients.call("iam", "put_role_policy", policy)
    profile = {"InstanceProfileName": "scaler-batch-instance-profile"}
    clients.call("iam", "create_instance_profile", profile)
    clients.call("iam", "add_role_to_instance_profile", {**profile, "RoleName": "scaler-batch-instance-role"})
    clients.call("s3", "create_bucket", {"Bucket": RECORD["s3_bucket"]})


def _nothing() -> str:
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
