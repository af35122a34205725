"""Flags that several commands share: what they are called, take and say, in groups that become one signature.

A group gives its values by the names of the fields that they are for; None stands for what was not given.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from provisioner.image.request import OWN_PYTHON
from provisioner.stack.spec import DEFAULT_S3_PREFIX, check

JOBS: Final = "Jobs"
INSTANCES: Final = "Instances"
DATA: Final = "Data"
IMAGE: Final = "Image that is built"

Region = Annotated[
    str | None,
    typer.Option(
        help="AWS region; else that of the only saved stack of the prefix, else boto3's own, else us-east-1.",
    ),
]
Prefix = Annotated[str, typer.Option(help="What the names of all resources start with.")]
EndJobs = Annotated[bool, typer.Option("--end-jobs", help="Go on where jobs of the queue would end.")]
RefreshAmi = Annotated[
    bool, typer.Option("--refresh-ami", help="Newer system images (AMIs) of AWS's for the instances, where there are.")
]
Reset = Annotated[
    bool, typer.Option("--reset", help="Defaults for what isn't given, instead of what was chosen before.")
]
Reduce = Annotated[
    bool,
    typer.Option("--reduce", help="Take away without asking, too: a longer expiry, Spot, a VPC."),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do it without asking.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Adopt = Annotated[bool, typer.Option("--adopt", help="Take resources of these names that somebody else made.")]
ConfigFile = Annotated[
    Path, typer.Option("--config", help="File that keeps what was provisioned, all stacks of this folder.")
]
EnvFile = Annotated[Path, typer.Option(help="Shell file with the four SCALER_ variables.")]
Requirements = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Requirements file that pip installs in the image.", rich_help_panel=IMAGE),
]
KmsKey = Annotated[
    str | None,
    typer.Option(
        metavar="ARN|ALIAS", help="KMS key of yours for bucket, logs, images and disks.", rich_help_panel=DATA
    ),
]
Packages = Annotated[
    list[Path] | None,
    typer.Option(
        "--package", metavar="DIR", help="Folder of a Python project of yours; repeatable.", rich_help_panel=IMAGE
    ),
]
BaseImage = Annotated[
    str | None,
    typer.Option(metavar="IMAGE", help="Image to build on, instead of python:X.Y-slim.", rich_help_panel=IMAGE),
]
DebianPackages = Annotated[
    list[str] | None,
    typer.Option("--apt", metavar="PACKAGE", help="Debian package for the image; repeatable.", rich_help_panel=IMAGE),
]
CondaEnvironment = Annotated[
    Path | None,
    typer.Option("--conda", metavar="FILE", help="Conda environment that jobs run in.", rich_help_panel=IMAGE),
]
PythonVersion = Annotated[
    str | None,
    typer.Option(
        "--python",
        metavar="X.Y",
        help="Python of the image: the clients' version.",
        rich_help_panel=IMAGE,
        show_default=OWN_PYTHON,
    ),
]
BuilderName = Annotated[
    str | None,
    typer.Option(
        "--builder",
        metavar="NAME",
        help="docker, podman, buildah or finch; else the first that works.",
        rich_help_panel=IMAGE,
    ),
]
Choices = Mapping[str, Any]
"""Values by the names of fields."""


def place_flags(
    image: Annotated[
        str | None, typer.Option(help="URI of an image with the runner as its entry point; else one is built.")
    ] = None,
    region: Region = None,
    prefix: Prefix = "scaler-batch",
) -> Choices:
    """Flags about the stack as a whole."""
    return {"image": image, "region": region, "prefix": prefix}


def job_flags(
    vcpus: Annotated[int | None, typer.Option(help="vCPUs of a job.", rich_help_panel=JOBS, show_default="1")] = None,
    memory: Annotated[
        int | None,
        typer.Option(
            help="MiB of a job, rounded to a multiple of 2048; its container gets 90 %.",
            rich_help_panel=JOBS,
            show_default="2048",
        ),
    ] = None,
    gpus: Annotated[
        int | None,
        typer.Option(help="GPUs of a job; needs GPU instance types.", rich_help_panel=JOBS, show_default="0"),
    ] = None,
    job_timeout: Annotated[
        int | None, typer.Option(help="Minutes that one attempt may run.", rich_help_panel=JOBS, show_default="60")
    ] = None,
    runnable_limit: Annotated[
        int | None,
        typer.Option(
            help="Minutes after which AWS cancels a job that can't start, 10 to 1440; 0: never.",
            rich_help_panel=JOBS,
            show_default="0",
        ),
    ] = None,
    shm_mib: Annotated[
        int | None,
        typer.Option(help="MiB of /dev/shm, out of the job's memory.", rich_help_panel=JOBS, show_default="64"),
    ] = None,
    efs: Annotated[
        str | None,
        typer.Option(
            metavar="FS:PATH,…",
            help="EFS file systems and where jobs have them, like fs-0a1b2c3d:/mnt/data.",
            rich_help_panel=JOBS,
        ),
    ] = None,
) -> Choices:
    """Flags about jobs."""
    return {
        "vcpus": vcpus,
        "memory": memory,
        "gpus": gpus,
        "job_timeout": job_timeout,
        "runnable_limit": runnable_limit,
        "shm_mib": shm_mib,
        "efs": _split(efs),
    }


def instance_flags(
    max_vcpus: Annotated[
        int | None,
        typer.Option(
            help="vCPUs of all instances together; with --spot, of each kind.",
            rich_help_panel=INSTANCES,
            show_default="256",
        ),
    ] = None,
    instance_types: Annotated[
        str | None,
        typer.Option(
            help="EC2 types or families, comma-separated, of one architecture.",
            rich_help_panel=INSTANCES,
            show_default="optimal",
        ),
    ] = None,
    spot: Annotated[
        bool | None,
        typer.Option("--spot/--no-spot", help="Spot instances first, on demand after.", rich_help_panel=INSTANCES),
    ] = None,
    fargate: Annotated[
        bool | None,
        typer.Option(
            "--fargate/--no-fargate", help="Fargate instead of instances in your account.", rich_help_panel=INSTANCES
        ),
    ] = None,
    disk_gib: Annotated[
        int | None,
        typer.Option(
            help="GiB of an instance's disk; on Fargate, of a job's.",
            rich_help_panel=INSTANCES,
            show_default="50, on Fargate 20",
        ),
    ] = None,
    ami: Annotated[
        str | None,
        typer.Option(
            metavar="ID", help="System image of the instances; else AWS Batch's newest.", rich_help_panel=INSTANCES
        ),
    ] = None,
    vpc_id: Annotated[
        str | None, typer.Option(help="VPC of the instances; else the region's default one.", rich_help_panel=INSTANCES)
    ] = None,
    subnet_ids: Annotated[
        str | None,
        typer.Option(help="Subnets of the instances, comma-separated; else all of the VPC.", rich_help_panel=INSTANCES),
    ] = None,
    permissions_boundary: Annotated[
        str | None,
        typer.Option(metavar="ARN", help="IAM policy that bounds the roles that are made.", rich_help_panel=INSTANCES),
    ] = None,
) -> Choices:
    """Flags about what jobs run on, where that is, and what bounds its roles."""
    return {
        "max_vcpus": max_vcpus,
        "instance_types": _split(instance_types),
        "spot": spot,
        "fargate": fargate,
        "disk_gib": disk_gib,
        "ami": ami,
        "vpc_id": vpc_id,
        "subnet_ids": _split(subnet_ids),
        "permissions_boundary": permissions_boundary,
    }


def data_flags(
    s3_prefix: Annotated[
        str | None,
        typer.Option(
            help="Key prefix of all objects: the worker manager's --s3-prefix.",
            rich_help_panel=DATA,
            show_default=DEFAULT_S3_PREFIX,
        ),
    ] = None,
    expiry_days: Annotated[
        int | None,
        typer.Option(help="Days after which S3 deletes payloads and results.", rich_help_panel=DATA, show_default="1"),
    ] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option(
            "--tag",
            metavar="KEY=VALUE",
            help="Tag for all resources, instances and jobs; repeatable.",
            rich_help_panel=DATA,
        ),
    ] = None,
    kms_key: KmsKey = None,
) -> Choices:
    """Flags about what is stored, and tags."""
    return {
        "s3_prefix": s3_prefix,
        "expiry_days": expiry_days,
        "tags": None if not tag else tuple(map(_tag, tag)),
        "kms_key": kms_key,
    }


def image_flags(
    requirements: Requirements = None,
    package: Packages = None,
    base_image: BaseImage = None,
    apt: DebianPackages = None,
    conda: CondaEnvironment = None,
    platform: Annotated[
        str | None,
        typer.Option(help="linux/amd64 or linux/arm64; else what the instances need.", rich_help_panel=IMAGE),
    ] = None,
    python: PythonVersion = None,
    builder: BuilderName = None,
) -> Choices:
    """Flags about the image that is built, by the names of the flags."""
    return {
        "requirements": requirements,
        "package": package,
        "base_image": base_image,
        "apt": apt,
        "conda": conda,
        "platform": platform,
        "python": python,
        "builder": builder,
    }


def _tag(text: str) -> tuple[str, str]:
    """Raises `ConfigError`."""
    key, equals, value = text.partition("=")
    check("--tag", text, bool(equals and key), "KEY=VALUE")
    return key, value


def _split(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(word for part in text.split(",") if (word := part.strip()))


GROUPS: Final = (place_flags, job_flags, instance_flags, data_flags, image_flags)
"""In the order of a command's help."""


def parameters_of(group: Callable[..., Choices]) -> Mapping[str, inspect.Parameter]:
    """Parameters of a group's function, with their annotations evaluated."""
    return inspect.signature(group, eval_str=True).parameters


FLAGS: Final = tuple(parameter for group in GROUPS for parameter in parameters_of(group).values())
"""Of all groups, as a signature has them."""
