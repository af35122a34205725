"""Options that several commands share, and their values, checked."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from provisioner.image.request import OWN_PYTHON, ImageRequest
from provisioner.stack.saved_state import CONFIG_FILE, ENV_FILE, Provisioned
from provisioner.stack.spec import DEFAULT_S3_PREFIX, OF_INSTANCES, ProvisionSpec, check

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
    typer.Option(metavar="ARN|ALIAS", help="KMS key of yours for bucket, log group and images.", rich_help_panel=DATA),
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
Command = Callable[..., None]


@dataclass(frozen=True, slots=True)
class CommandOptions:
    """Options of `plan`, `provision` and `export`, checked. The spec's image is None where one is to be built.

    `kept` are flags with their values that were not given, but are those of the saved stack; `raised` is a sentence
    about a value that was raised.
    """

    spec: ProvisionSpec
    request: ImageRequest
    kept: tuple[str, ...] = ()
    raised: str = ""

    def with_image(self, image: str | None) -> ProvisionSpec:
        """Spec with another image."""
        return replace(self.spec, image=image)

    def with_key(self, key: str) -> CommandOptions:
        """Options with the ARN of the key that was asked for."""
        return replace(self, spec=replace(self.spec, kms_key=key))

    def keeping_key(self, key: str | None) -> CommandOptions:
        """Options with the key of before, unless another is given: what is stored could not be read without it."""
        if key is None or self.spec.kms_key is not None:
            return self
        return replace(self.with_key(key), kept=(*self.kept, f"--kms-key {key}"))

    @property
    def notes(self) -> tuple[str, ...]:
        """Note about what was kept, if anything was."""
        kept = f"Kept from before, because not given: {', '.join(self.kept)} (--reset takes the defaults instead)."
        return tuple(filter(None, (kept if self.kept else "", self.raised)))


@dataclass(frozen=True, slots=True)
class GivenOptions:
    """Options by what was given alone: fields of the spec and of the image's request, None for what was not."""

    region: str | None
    prefix: str
    choices: Mapping[str, Any]
    image_choices: Mapping[str, Any]

    def based_on(self, saved: Provisioned | None, region: str) -> CommandOptions:
        """Options in which what was not given is as it was saved, else the default.

        Raises `ConfigError` for values that can't work, `ProvisionError` for a saved entry that can't be.
        """
        given = {name: value for name, value in self.choices.items() if value is not None}
        before = _chosen_before(saved) if saved is not None else {}
        left_out = OF_INSTANCES.values() if given.get("fargate") else ()
        kept = {name: value for name, value in before.items() if name not in (*given, *left_out)}
        spec = ProvisionSpec(**{"image": None, **kept, **given, "region": region, "prefix": self.prefix})
        if self._wants_build(spec, saved) and "image" in kept:
            spec = replace(spec, image=None)
            del kept["image"]
        request = self._request(spec)
        check_platform(spec, request)
        flags = tuple(_flag_of(name, value) for name, value in kept.items())
        days = spec.needed_expiry_days
        if spec.expiry_days >= days:
            return CommandOptions(spec, request, flags)
        raised = f"--expiry-days is raised from {spec.expiry_days} to {days}: a job's attempts may take so long."
        return CommandOptions(replace(spec, expiry_days=days), request, flags, raised)

    def _wants_build(self, spec: ProvisionSpec, saved: Provisioned | None) -> bool:
        """True when another image was described, or other processors need one."""
        described = any(value for name, value in self.image_choices.items() if name != "builder")
        return described or (saved is not None and saved.spec.platform != spec.platform)

    def _request(self, spec: ProvisionSpec) -> ImageRequest:
        chosen = self.image_choices
        return ImageRequest(
            requirements=chosen["requirements"],
            packages=tuple(chosen["package"] or ()),
            base_image=chosen["base_image"],
            apt=tuple(chosen["apt"] or ()),
            conda=chosen["conda"],
            platform=chosen["platform"] or spec.platform,
            python=chosen["python"] or OWN_PYTHON,
            builder=chosen["builder"],
        )


def command_options(
    image: Annotated[
        str | None, typer.Option(help="URI of an image with the runner as its entry point; else one is built.")
    ] = None,
    region: Region = None,
    prefix: Prefix = "scaler-batch",
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
) -> GivenOptions:
    """Options by their flags; whether they can work is known once what was saved is."""
    choices = {
        "image": image,
        "tags": None if not tag else tuple(map(_tag, tag)),
        "vcpus": vcpus,
        "memory": memory,
        "gpus": gpus,
        "max_vcpus": max_vcpus,
        "instance_types": None if instance_types is None else _words(instance_types),
        "job_timeout": job_timeout,
        "spot": spot,
        "vpc_id": vpc_id,
        "subnet_ids": None if subnet_ids is None else _words(subnet_ids),
        "permissions_boundary": permissions_boundary,
        "s3_prefix": s3_prefix,
        "expiry_days": expiry_days,
        "runnable_limit": runnable_limit,
        "disk_gib": disk_gib,
        "shm_mib": shm_mib,
        "efs": None if efs is None else _words(efs),
        "ami": ami,
        "fargate": fargate,
        "kms_key": kms_key,
    }
    image_choices = {
        "requirements": requirements,
        "package": package,
        "base_image": base_image,
        "apt": apt,
        "conda": conda,
        "platform": platform,
        "python": python,
        "builder": builder,
    }
    return GivenOptions(region, prefix, choices, image_choices)


def check_platform(spec: ProvisionSpec, request: ImageRequest) -> None:
    """Check that the image that would be built can run on the instances. Raises `ConfigError`."""
    fits = spec.image is not None or request.platform == spec.platform
    check("--platform", request.platform, fits, f"{spec.platform}, which the instance types need")


def with_command_options(command: Command) -> Command:
    """Decorate a command that takes `given` first: it gets the flags of `command_options` in front of its own.

    Typer reads a command's flags from its signature, which is put together here.
    """
    own = inspect.signature(command, eval_str=True)
    shared = inspect.signature(command_options, eval_str=True).parameters
    others = [parameter for name, parameter in own.parameters.items() if name != "given"]

    @wraps(command)
    def wrapper(**words: Any) -> None:
        command(given=command_options(**{name: words.pop(name) for name in shared}), **words)

    keyword_only = inspect.Parameter.KEYWORD_ONLY
    parameters = [parameter.replace(kind=keyword_only) for parameter in (*shared.values(), *others)]
    wrapper.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    return wrapper


def _chosen_before(saved: Provisioned) -> dict[str, Any]:
    """Fields of the saved spec that differ from the defaults. Raises `ProvisionError`."""
    spec = saved.spec
    values = {field.name: (getattr(spec, field.name), field.default) for field in fields(spec)}
    chosen = {name: value for name, (value, default) in values.items() if value != default and value is not None}
    return {name: value for name, value in chosen.items() if name not in ("region", "prefix")}


def _flag_of(name: str, value: object) -> str:
    """Flag and value as a person would type them."""
    if name == "tags" and isinstance(value, tuple):
        return " ".join(f"--tag {key}={one}" for key, one in value)
    flag = f"--{name.replace('_', '-')}"
    if value is True:
        return flag
    return f"{flag} {','.join(value) if isinstance(value, tuple) else value}"


def _tag(text: str) -> tuple[str, str]:
    """Raises `ConfigError`."""
    key, equals, value = text.partition("=")
    check("--tag", text, bool(equals and key), "KEY=VALUE")
    return key, value


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for part in text.split(",") if (word := part.strip()))


__all__ = ["CONFIG_FILE", "ENV_FILE", "CommandOptions", "GivenOptions", "command_options", "with_command_options"]
