"""Command `build-image`: build the image of a stack's jobs and push it to ECR, unless it is there already."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from provisioner.clients import Clients
from provisioner.commands.common import errors_as_json, interruptible, only_run, print_line
from provisioner.commands.flags import (
    IMAGE,
    Adopt,
    BaseImage,
    BuilderName,
    CondaEnvironment,
    ConfigFile,
    DebianPackages,
    Json,
    KmsKey,
    Packages,
    Prefix,
    PythonVersion,
    Region,
    Requirements,
)
from provisioner.commands.image import image_reporter, repository_creator
from provisioner.commands.options import CONFIG_FILE
from provisioner.commands.place import chosen_region
from provisioner.image.build import BuiltImage, build_and_push
from provisioner.image.request import OWN_PYTHON, PLATFORMS, ImageRequest
from provisioner.json_schema import DoneEvent
from provisioner.plan.kms_key import usable_key
from provisioner.plan.planner import Claims, stack_of
from provisioner.stack.saved_state import entry_key, load
from provisioner.stack.spec import ProvisionSpec, check_place

DEFAULT_PLATFORM: Final = PLATFORMS[0]
RESUME_HINT: Final = "run this again; layers that are built and pushed are taken as they are."


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
    kms_key: KmsKey = None,
    adopt: Adopt = False,
    as_json: Json = False,
    config: ConfigFile = CONFIG_FILE,
) -> None:
    """Build the image that jobs run in, with your own code, and push it to ECR; prints its URI.

    The URI has the image's digest. What is in ECR already is not built again.
    """
    with errors_as_json(as_json), interruptible(RESUME_HINT):
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
        check_place(chosen := chosen_region(region, prefix, config), prefix)
        with only_run(chosen, prefix, config):
            built = _built(request, _Where(chosen, prefix, config, kms_key), Claims(adopt=adopt), as_json=as_json)
    _print_result(built, as_json=as_json)


@dataclass(frozen=True, slots=True)
class _Where:
    """Place of the repository, and the key of the user's own for it."""

    region: str
    prefix: str
    config: Path
    kms_key: str | None

    def spec(self, clients: Clients, account: str) -> ProvisionSpec:
        """Spec of the repository: as the stack was provisioned, if it was. Raises `ConfigError`, `ProvisionError`."""
        saved = load(self.config).get(entry_key(account, self.region, self.prefix))
        key = usable_key(self.kms_key, clients) if self.kms_key else saved.kms_key if saved else None
        tags = tuple(saved.tags.items()) if saved else ()
        return ProvisionSpec(image=None, region=self.region, prefix=self.prefix, tags=tags, kms_key=key)


def _built(request: ImageRequest, where: _Where, claims: Claims, *, as_json: bool) -> BuiltImage:
    clients = Clients(where.region)
    stack = stack_of(where.region, where.prefix, clients)
    ensure_repository = repository_creator(where.spec(clients, stack.account), clients, stack, claims)
    report = image_reporter(Console(stderr=True, highlight=False), as_json=as_json)
    return build_and_push(request, clients, stack, report, ensure_repository)


def _print_result(built: BuiltImage, *, as_json: bool) -> None:
    if as_json:
        print_line(DoneEvent(image=built.image, tag=built.tag, built=built.built))
    else:
        typer.echo(built.image)
