"""Options that several commands share, and their values, checked."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from provisioner.image.request import OWN_PYTHON, ImageRequest
from provisioner.stack.saved_state import CONFIG_FILE, ENV_FILE
from provisioner.stack.spec import DEFAULT_S3_PREFIX, UNLIMITED, ProvisionSpec, check

JOBS: Final = "Jobs"
INSTANCES: Final = "Instances"
DATA: Final = "Data"
IMAGE: Final = "Image that is built"

Region = Annotated[str, typer.Option(help="AWS region.")]
Prefix = Annotated[str, typer.Option(help="What the names of all resources start with.")]
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
PythonVersion = Annotated[
    str,
    typer.Option("--python", metavar="X.Y", help="Python of the image: the clients' version.", rich_help_panel=IMAGE),
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
    """Options of `plan`, `provision` and `export`, checked. The spec's image is None where one is to be built."""

    spec: ProvisionSpec
    request: ImageRequest

    def with_image(self, image: str | None) -> ProvisionSpec:
        """Spec with another image."""
        return replace(self.spec, image=image)


def command_options(
    image: Annotated[
        str | None, typer.Option(help="URI of an image with the runner as its entry point; else one is built.")
    ] = None,
    region: Region = "us-east-1",
    prefix: Prefix = "scaler-batch",
    vcpus: Annotated[int, typer.Option(help="vCPUs of a job.", rich_help_panel=JOBS)] = 1,
    memory: Annotated[
        int,
        typer.Option(
            help="MiB of a job, rounded to a multiple of 2048; its container gets 90 %.", rich_help_panel=JOBS
        ),
    ] = 2048,
    gpus: Annotated[int, typer.Option(help="GPUs of a job; needs GPU instance types.", rich_help_panel=JOBS)] = 0,
    job_timeout: Annotated[int, typer.Option(help="Minutes that one attempt may run.", rich_help_panel=JOBS)] = 60,
    runnable_limit: Annotated[
        int,
        typer.Option(
            help="Minutes after which AWS cancels a job that can't start, 10 to 1440; 0: never.", rich_help_panel=JOBS
        ),
    ] = UNLIMITED,
    max_vcpus: Annotated[
        int, typer.Option(help="vCPUs of all instances together; with --spot, of each kind.", rich_help_panel=INSTANCES)
    ] = 256,
    instance_types: Annotated[
        str,
        typer.Option(help="EC2 types or families, comma-separated, of one architecture.", rich_help_panel=INSTANCES),
    ] = "optimal",
    spot: Annotated[
        bool, typer.Option("--spot", help="Spot instances first, on demand after.", rich_help_panel=INSTANCES)
    ] = False,
    vpc_id: Annotated[
        str | None, typer.Option(help="VPC of the instances; else the region's default one.", rich_help_panel=INSTANCES)
    ] = None,
    subnet_ids: Annotated[
        str,
        typer.Option(help="Subnets of the instances, comma-separated; else all of the VPC.", rich_help_panel=INSTANCES),
    ] = "",
    permissions_boundary: Annotated[
        str | None,
        typer.Option(metavar="ARN", help="IAM policy that bounds the roles that are made.", rich_help_panel=INSTANCES),
    ] = None,
    s3_prefix: Annotated[
        str, typer.Option(help="Key prefix of all objects: the worker manager's --s3-prefix.", rich_help_panel=DATA)
    ] = DEFAULT_S3_PREFIX,
    expiry_days: Annotated[
        int, typer.Option(help="Days after which S3 deletes payloads and results.", rich_help_panel=DATA)
    ] = 1,
    requirements: Requirements = None,
    package: Packages = None,
    base_image: BaseImage = None,
    platform: Annotated[
        str | None,
        typer.Option(help="linux/amd64 or linux/arm64; else what the instances need.", rich_help_panel=IMAGE),
    ] = None,
    python: PythonVersion = OWN_PYTHON,
    builder: BuilderName = None,
) -> CommandOptions:
    """Options by their flags. Raises `ConfigError` for values that can't work."""
    spec = ProvisionSpec(
        image=image,
        region=region,
        prefix=prefix,
        vcpus=vcpus,
        memory=memory,
        gpus=gpus,
        max_vcpus=max_vcpus,
        instance_types=_words(instance_types),
        job_timeout=job_timeout,
        spot=spot,
        vpc_id=vpc_id,
        subnet_ids=_words(subnet_ids),
        permissions_boundary=permissions_boundary,
        s3_prefix=s3_prefix,
        expiry_days=expiry_days,
        runnable_limit=runnable_limit,
    )
    request = ImageRequest(
        requirements=requirements,
        packages=tuple(package or ()),
        base_image=base_image,
        platform=platform or spec.platform,
        python=python,
        builder=builder,
    )
    check_platform(spec, request)
    return CommandOptions(spec, request)


def check_platform(spec: ProvisionSpec, request: ImageRequest) -> None:
    """Check that the image that would be built can run on the instances. Raises `ConfigError`."""
    fits = spec.image is not None or request.platform == spec.platform
    check("--platform", request.platform, fits, f"{spec.platform}, which the instance types need")


def with_command_options(command: Command) -> Command:
    """Decorate a command that takes `options` first: it gets the flags of `command_options` in front of its own.

    Typer reads a command's flags from its signature, which is put together here.
    """
    own = inspect.signature(command, eval_str=True)
    shared = inspect.signature(command_options, eval_str=True).parameters
    others = [parameter for name, parameter in own.parameters.items() if name != "options"]

    @wraps(command)
    def wrapper(**words: Any) -> None:
        command(options=command_options(**{name: words.pop(name) for name in shared}), **words)

    keyword_only = inspect.Parameter.KEYWORD_ONLY
    parameters = [parameter.replace(kind=keyword_only) for parameter in (*shared.values(), *others)]
    wrapper.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    return wrapper


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for part in text.split(",") if (word := part.strip()))


__all__ = ["CONFIG_FILE", "ENV_FILE", "CommandOptions", "command_options", "with_command_options"]
