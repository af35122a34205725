"""Build of a requested image into ECR, pinned by its digest: prepare, build, check, push."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from provisioner.clients import Clients
from provisioner.errors import ProvisionError
from provisioner.image.builder import ImageBuilder, find_builder
from provisioner.image.context import Context, prepared
from provisioner.image.events import ImageStep, OutputLine, Report, reported_step
from provisioner.image.login import logged_in
from provisioner.image.programs import ProgramFailed, stream
from provisioner.image.registry import credentials, find_built, repository_uri
from provisioner.image.request import ImageRequest
from provisioner.kinds import StepState
from provisioner.stack.naming import Stack

QUIET: Final = {"BUILDKIT_PROGRESS": "plain", "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
"""docker draws no progress bars, and pushes the image alone, not an index with a certificate of origin next to it."""

CHECK: Final = "import boto3, cloudpickle, batch_job_runner, sys; print('%d.%d' % sys.version_info[:2])"


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """Image in ECR; `built` is false when it was there already."""

    image: str
    """`repositoryUri@sha256:…`"""
    tag: str
    built: bool


def tag_of(request: ImageRequest) -> str:
    """Tag of the request's image. Packages are built for it; raises as `prepared` does."""
    with prepared(request, say=lambda line: None) as context:
        return context.tag


def build_and_push(
    request: ImageRequest, clients: Clients, stack: Stack, report: Report, ensure_repository: Callable[[], None]
) -> BuiltImage:
    """Build, check and push the image, unless ECR has the same content already; no builder is needed then.

    `ensure_repository` makes the stack's repository where there is none; it is called once it is certain that
    there is a builder. Raises `ProvisionError` and `ConfigError`, each with the step that failed reported.
    """
    say = _line_reporter(report)
    with prepared(request, say) as context:
        if known := find_built(clients, stack, context.tag):
            report(ImageStep("build", StepState.DONE, f"unchanged: {context.tag} is in ECR"))
            return BuiltImage(known, context.tag, built=False)
        builder = find_builder(request.builder, os.environ, say)
        ensure_repository()
        image = f"{repository_uri(clients, stack)}:{context.tag}"
        _build(builder, request, context, image, report)
    _check(builder, request, image, report)
    with reported_step(report, "push", f"{image} by {builder.name}"):
        return BuiltImage(_pushed(builder, image, context.tag, clients, stack, say), context.tag, built=True)


def _build(builder: ImageBuilder, request: ImageRequest, context: Context, image: str, report: Report) -> None:
    arguments = {"PYTHON_VERSION": request.python}
    if request.base_image is not None:
        arguments["BASE_IMAGE"] = request.base_image
    command = builder.build(str(context.folder), image, request.platform, arguments)
    with reported_step(report, "build", f"{context.tag} by {builder.name}"):
        try:
            stream(f"{builder.name} build", command, _line_reporter(report), os.environ | QUIET)
        except ProgramFailed as error:
            raise _explained(error, request.platform) from error


def _explained(error: ProgramFailed, platform: str) -> ProvisionError:
    if not any("exec format error" in line for line in error.lines):
        return error
    return ProvisionError(
        f"This machine can't run programs of {platform}, which building its image needs: install QEMU's emulation "
        "(the package qemu-user-static, or `docker run --privileged tonistiigi/binfmt --install all`), or build "
        "on a machine of that kind."
    )


def _check(builder: ImageBuilder, request: ImageRequest, image: str, report: Report) -> None:
    """What would otherwise show only in the first job: the runner starts, on the Python that was asked for."""
    if not builder.runs_containers:
        report(ImageStep("check", StepState.SKIPPED, f"{builder.name} doesn't run containers"))
        return
    with reported_step(report, "check", f"the runner on Python {request.python}"):
        command = builder.run_python(image, request.platform, CHECK)
        found = stream(f"{builder.name} run", command, _line_reporter(report), os.environ | QUIET)
        if found != request.python:
            raise ProvisionError(
                f"The image has Python {found}, but --python is {request.python}, and it must be the clients': give a "
                f"--base-image with Python {request.python}, or --python {found} if that is what the clients have."
            )


def _pushed(
    builder: ImageBuilder, image: str, tag: str, clients: Clients, stack: Stack, say: Callable[[str], None]
) -> str:
    registry = image.partition("/")[0]
    with logged_in(builder, registry, credentials(clients), os.environ) as environment:
        try:
            stream(f"{builder.name} push", builder.push(image), say, environment)
        except ProgramFailed:
            # tags don't move: somebody else may have pushed the same content at the same time
            if find_built(clients, stack, tag) is None:
                raise
    pushed = find_built(clients, stack, tag)
    if pushed is None:
        raise ProvisionError(f"{image} was pushed, but ECR doesn't list it: run this again.")
    return pushed


def _line_reporter(report: Report) -> Callable[[str], None]:
    return lambda line: report(OutputLine(line))
