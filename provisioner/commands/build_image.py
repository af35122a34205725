"""Command `build-image`: build the image of a stack's jobs and push it to ECR, unless it is there already."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from provisioner.clients import Clients
from provisioner.commands.common import errors_as_json, print_line
from provisioner.commands.image import image_reporter, repository_creator
from provisioner.commands.options import (
    CONFIG_FILE,
    IMAGE,
    Adopt,
    BaseImage,
    BuilderName,
    CondaEnvironment,
    DebianPackages,
    Json,
    Packages,
    Prefix,
    PythonVersion,
    Region,
    Requirements,
)
from provisioner.commands.place import chosen_region
from provisioner.commands.signals import interruptible
from provisioner.image.build import BuiltImage, build_and_push
from provisioner.image.request import OWN_PYTHON, PLATFORMS, ImageRequest
from provisioner.json_schema import DoneEvent
from provisioner.plan.planner import Claims, stack_of
from provisioner.stack.spec import ProvisionSpec

DEFAULT_PLATFORM: Final = PLATFORMS[0]


def build_image(
    region: Region = None,
    prefix: Prefix = "scaler-batch",
    requirements: Requirements = None,
    package: Packages = None,
    base_image: BaseImage = None,
    apt: DebianPackages = None,
    conda: CondaEnvironment = None,
    platform: Annotated[
        str, typer.Option(help="linux/amd64, or linux/arm64 for Graviton.", rich_help_panel=IMAGE)
    ] = DEFAULT_PLATFORM,
    python: PythonVersion = None,
    builder: BuilderName = None,
    pull: Annotated[bool, typer.Option("--pull", help="Look for a newer base image.", rich_help_panel=IMAGE)] = False,
    rebuild: Annotated[
        bool,
        typer.Option("--rebuild", help="Build though nothing changed: for newer packages.", rich_help_panel=IMAGE),
    ] = False,
    lock: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write what was installed, and FILE.cdx.json with it.", rich_help_panel=IMAGE
        ),
    ] = None,
    adopt: Adopt = False,
    as_json: Json = False,
) -> None:
    """Build the image that jobs run in, with your own code, and push it to ECR; prints its URI.

    The URI has the image's digest. What is in ECR already is not built again.
    """
    with (
        errors_as_json(as_json),
        interruptible("run this again; layers that are built and pushed are taken as they are."),
    ):
        request = ImageRequest(
            requirements=requirements,
            packages=tuple(package or ()),
            base_image=base_image,
            apt=tuple(apt or ()),
            conda=conda,
            platform=platform,
            python=python or OWN_PYTHON,
            builder=builder,
            pull=pull,
            rebuild=rebuild,
            lock=lock,
        )
        clients = Clients(chosen_region(region, prefix, CONFIG_FILE))
        stack = stack_of(clients.region, prefix, clients)
        spec = ProvisionSpec(image=None, region=stack.region, prefix=prefix)
        ensure_repository = repository_creator(spec, clients, stack, Claims(adopt=adopt))
        report = image_reporter(Console(stderr=True, highlight=False), as_json=as_json)
        built = build_and_push(request, clients, stack, report, ensure_repository)
    _print_result(built, as_json=as_json)


def _print_result(built: BuiltImage, *, as_json: bool) -> None:
    if as_json:
        print_line(DoneEvent(image=built.image, tag=built.tag, built=built.built))
    else:
        typer.echo(built.image)
