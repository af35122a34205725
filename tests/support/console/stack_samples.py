"""A stack as `scaler-batch` tells of it with `--json`: what pictures show, and what the stand-in program prints."""

from __future__ import annotations

from typing import Any

ACCOUNT, REGION, PREFIX = "123456789012", "eu-west-1", "pricing-spot"
QUEUE = f"{PREFIX}-queue"
REPOSITORY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{PREFIX}-worker"
IMAGE, NEW_IMAGE = f"{REPOSITORY}@sha256:{'9be1' * 16}", f"{REPOSITORY}@sha256:{'c0de' * 16}"
AT = 1_767_264_524.0

ENTRY: dict[str, Any] = {
    "account": ACCOUNT,
    "region": REGION,
    "prefix": PREFIX,
    "bucket": f"{PREFIX}-{ACCOUNT}-{REGION}",
    "job_queue": QUEUE,
    "job_definition": f"{PREFIX}-job",
    "compute_environment": f"{PREFIX}-compute",
    "log_group": f"/scaler/{PREFIX}",
    "job_role": f"{PREFIX}-job-{REGION}",
    "execution_role": f"{PREFIX}-execution-{REGION}",
    "instance_role": f"{PREFIX}-instance-{REGION}",
    "image": IMAGE,
    "vcpus": 1,
    "memory": 4096,
    "container_memory": 3686,
    "max_vcpus": 512,
    "instance_types": ["c7i", "m7i.large"],
    "job_timeout_minutes": 60,
    "complete": True,
}


def _arn(rest: str) -> str:
    return f"arn:aws:batch:{REGION}:{ACCOUNT}:{rest}"


def _drift(path: str, before: object, after: object) -> dict[str, object]:
    return {"path": path, "before": before, "after": after}


DENIED = "AccessDenied: not authorized to perform ec2:DescribeLaunchTemplateVersions"
WELL: list[dict[str, Any]] = [
    {"kind": "S3 bucket", "name": ENTRY["bucket"], "arn": f"arn:aws:s3:::{ENTRY['bucket']}", "state": "present"},
    {"kind": "log group", "name": f"/scaler/{PREFIX}", "state": "present", "detail": "retention 14 d"},
    {"kind": "ECR repository", "name": f"{PREFIX}-worker", "state": "present", "detail": "14 images"},
    {"kind": "IAM role", "name": f"{PREFIX}-job-eu-west-1", "state": "present"},
    {"kind": "compute environment", "name": f"{PREFIX}-spot", "state": "VALID", "detail": "Spot 0-4096 vCPUs"},
    {"kind": "job queue", "name": QUEUE, "arn": _arn(f"job-queue/{QUEUE}"), "state": "VALID", "detail": "priority 1"},
]
DRIFTED: list[dict[str, Any]] = [
    {
        "kind": "compute environment",
        "name": f"{PREFIX}-compute",
        "arn": _arn("compute-environment/pricing-spot-compute"),
        "state": "VALID",
        "detail": "on demand 0-256 vCPUs",
        "drift": [_drift("computeResources.maxvCpus", 256, 512), _drift("state", "DISABLED", "ENABLED")],
    },
    {
        "kind": "job definition",
        "name": f"{PREFIX}-job",
        "arn": _arn("job-definition/pricing-spot-job:41"),
        "state": "ACTIVE",
        "detail": "revision 41",
        "drift": [_drift("containerProperties.image", f"{REPOSITORY}:latest", IMAGE)],
    },
    {
        "kind": "IAM role",
        "name": f"{PREFIX}-instance-eu-west-1",
        "state": "MISSING",
        "detail": "provisioned, not found",
    },
    {"kind": "launch template", "name": f"{PREFIX}-instances", "state": "unknown", "error": DENIED},
]
LIVE: dict[str, Any] = {"entry": ENTRY, "read_at": AT, "resources": [*WELL, *DRIFTED]}

_PLACE: dict[str, Any] = {"account": ACCOUNT, "region": REGION, "prefix": PREFIX}
_KEPT = [{"action": "keep", "kind": each["kind"], "name": each["name"]} for each in WELL]
PROVISION: dict[str, Any] = {
    **_PLACE,
    "changes": [
        {"action": "create", "kind": "IAM role", "name": f"{PREFIX}-instance-eu-west-1"},
        {
            "action": "update",
            "kind": "compute environment",
            "name": f"{PREFIX}-compute",
            "fields": DRIFTED[0]["drift"],
        },
        {"action": "update", "kind": "job definition", "name": f"{PREFIX}-job", "fields": DRIFTED[1]["drift"]},
        *_KEPT,
    ],
    "notes": ["Instances go into the region's default VPC vpc-17cbb1cb: choose another with --vpc-id."],
}
CLEANUP: dict[str, Any] = {
    **_PLACE,
    "changes": [
        {"action": "delete", "kind": each["kind"], "name": each["name"], "note": note}
        for each, note in zip(
            reversed([*WELL, *DRIFTED[:2]]), ("", "", "527 jobs are ended", "", "", "14 images", "", ""), strict=True
        )
    ],
    "notes": [
        f"Everything in the bucket {ENTRY['bucket']} is deleted, and all logs "
        "(scaler-batch cleanup --keep-data keeps both)."
    ],
}


def step(kind: str, name: str, state: str, text: str = "", action: str = "create") -> dict[str, str]:
    return {"event": "step", "kind": kind, "name": name, "action": action, "state": state, "text": text}


def line(text: str) -> dict[str, str]:
    return {"event": "line", "text": text}


PROVISIONING: list[dict[str, Any]] = [
    {"event": "plan", **PROVISION},
    step("IAM role", f"{PREFIX}-instance-eu-west-1", "running", "CreateRole"),
    step("IAM role", f"{PREFIX}-instance-eu-west-1", "done"),
    step("compute environment", f"{PREFIX}-compute", "running", "waits until it is VALID", "update"),
    step("compute environment", f"{PREFIX}-compute", "done", "", "update"),
    step("job definition", f"{PREFIX}-job", "running", "RegisterJobDefinition", "update"),
    step("job definition", f"{PREFIX}-job", "done", "revision 42", "update"),
    {"event": "done", "provisioned": ENTRY},
]
BUILDING: list[dict[str, Any]] = [
    step("image", "build", "running"),
    line("#5 [1/4] FROM python:3.11-slim"),
    line("#9 [4/4] COPY runner /opt/runner"),
    step("image", "build", "done", "context 1.2 MiB"),
    step("image", "push", "running"),
    line("layer 6 of 9: already there"),
    step("image", "push", "done", "88 MiB"),
    step("image", "check", "running"),
    step("image", "check", "done", "the runner starts"),
    {"event": "done", "image": NEW_IMAGE, "tag": "py311-c0de", "built": True},
]
LEFT = {
    "kind": "S3 bucket",
    "name": ENTRY["bucket"],
    "why": "AccessDenied: not authorized to perform s3:DeleteBucket",
    "command": f"aws s3 rb s3://{ENTRY['bucket']} --force --region {REGION}",
}
CLEANING: list[dict[str, Any]] = [
    {"event": "plan", **CLEANUP},
    step("job queue", QUEUE, "running", "", "delete"),
    step("job queue", QUEUE, "done", "", "delete"),
    step("compute environment", f"{PREFIX}-spot", "already gone", "", "delete"),
    step("S3 bucket", ENTRY["bucket"], "running", "754 objects", "delete"),
    step("S3 bucket", ENTRY["bucket"], "failed", LEFT["why"], "delete"),
    {"event": "done", "remains": [LEFT]},
]
