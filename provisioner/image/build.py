"""Build of a requested image into ECR, pinned by its digest: prepare, build, check, push."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from provisioner.clients import Clients
from provisioner.errors import ProvisionError
from provisioner.image.base import BaseImage, find_base
from provisioner.image.build_failures import explained
from provisioner.image.builder import ImageBuilder, find_builder
from provisioner.image.context import Context, prepared
from provisioner.image.events import ImageStep, OutputLine, Report, reported_step
from provisioner.image.installed import INSPECT, parse_installed, write_lock
from provisioner.image.labels import labels_of
from provisioner.image.login import logged_in
from provisioner.image.package_index import SECRET, PackageIndex, package_index
from provisioner.image.programs import ProgramFailed, stream
from provisioner.image.registry import FoundImage, credentials, find_built, find_newest, repository_uri
from provisioner.image.request import ImageRequest
from provisioner.kinds import StepState
from provisioner.stack.naming import Stack

QUIET: Final = {"BUILDKIT_PROGRESS": "plain", "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
"""docker draws no progress bars, and pushes the image alone, not an index with a certificate of origin next to it."""

BUILDKIT: Final = {"DOCKER_BUILDKIT": "1"}
"""Where it isn't docker's default; without it docker knows no secrets."""

CHECK: Final = (
    "import boto3, cloudpickle, batch_job_runner, batch_job_attempt, sys; print('%d.%d' % sys.version_info[:2])"
)


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """Image in ECR; `built` is false when it was there already."""

    image: str
    """`repositoryUri@sha256:…`"""
    tag: str
    built: bool


def content_of(request: ImageRequest) -> str:
    """Beginning of the tags of the request's images. Packages are built for it; raises as `prepared` does."""
    with prepared(request, say=lambda line: None) as context:
        return context.content


def build_and_push(
    request: ImageRequest, clients: Clients, stack: Stack, report: Report, ensure_repository: Callable[[], None]
) -> BuiltImage:
    """Build, check and push the image, unless ECR has the same content already; no builder is needed then.

    With `pull` the base has to be the same, too; with `rebuild` nothing is good enough. `ensure_repository` makes the
    stack's repository where there is none; it is called once it is certain that there is a builder.
    Raises `ProvisionError` and `ConfigError`, each with the step that failed reported.
    """
    say = _line_reporter(report)
    with prepared(request, say) as context:
        anew = request.pull or request.rebuild
        found = None if anew else find_newest(clients, stack, context.content)
        if found is not None and request.lock is None:
            return _unchanged(found, report)
        work = _Work(find_builder(request.builder, os.environ, say), request, clients, stack, report)
        work.check_lock()
        if found is None:
            base = find_base(work.builder, request, os.environ, say)
            tag = _tag(context.content, base, rebuild=request.rebuild)
            found = find_built(clients, stack, tag)
            if found is None:
                ensure_repository()
                return work.make(context, base, tag)
    unchanged = _unchanged(found, report)
    work.lock_pushed(unchanged.image)
    return unchanged


def _unchanged(found: FoundImage, report: Report) -> BuiltImage:
    report(ImageStep("build", StepState.DONE, f"unchanged: {found.tag} is in ECR"))
    return BuiltImage(found.image, found.tag, built=False)


def _tag(content: str, base: BaseImage, *, rebuild: bool) -> str:
    """Tags don't move: one that is built again has the time in it."""
    stamp = f"-{datetime.now(UTC):%Y%m%d%H%M%S}" if rebuild else ""
    return f"{content}-{base.suffix}{stamp}"


@dataclass(frozen=True, slots=True)
class _Work:
    """Steps of a builder for one request."""

    builder: ImageBuilder
    request: ImageRequest
    clients: Clients
    stack: Stack
    report: Report

    def check_lock(self) -> None:
        if self.request.lock is not None and not self.builder.runs_containers:
            name = self.builder.name
            raise ProvisionError(f"--lock needs a builder that runs containers, and {name} doesn't: give another.")

    def make(self, context: Context, base: BaseImage, tag: str) -> BuiltImage:
        """Build, check, push, and tell what is inside."""
        image = f"{repository_uri(self.clients, self.stack)}:{tag}"
        self._build(context, image, base)
        self._check(image)
        with reported_step(self.report, "push", f"{image} by {self.builder.name}"):
            pushed = self._pushed(image, tag)
        self._lock(image, pushed)
        return BuiltImage(pushed, tag, built=True)

    def lock_pushed(self, image: str) -> None:
        """Fetch the image to look into it, if there is a lock to write."""
        if self.request.lock is None:
            return
        with logged_in(self.builder, image.partition("/")[0], credentials(self.clients), os.environ) as environment:
            command = self.builder.pull(image, self.request.platform)
            stream(f"{self.builder.name} pull", command, _line_reporter(self.report), environment)
        self._lock(image, image)

    def _build(self, context: Context, image: str, base: BaseImage) -> None:
        request, index = self.request, package_index(os.environ)
        arguments = {"PYTHON_VERSION": request.python, "BASE_IMAGE": base.reference, **index.arguments}
        labels = labels_of(request, context.content, base, os.environ)
        say, what = _line_reporter(self.report), f"{image.rpartition(':')[2]} by {self.builder.name}"
        with reported_step(self.report, "build", what), _secrets(index, context) as secrets:
            command = self.builder.build(str(context.folder), image, request.platform, arguments, labels, secrets)
            environment = {**os.environ, **QUIET, **(BUILDKIT if secrets else {})}
            try:
                stream(f"{self.builder.name} build", command, say, environment, index.hidden)
            except ProgramFailed as error:
                raise explained(error, request.platform) from error

    def _check(self, image: str) -> None:
        """What would otherwise show only in the first job: the runner starts, on the Python that was asked for."""
        if not self.builder.runs_containers:
            self.report(ImageStep("check", StepState.SKIPPED, f"{self.builder.name} doesn't run containers"))
            return
        python = self.request.python
        with reported_step(self.report, "check", f"the runner on Python {python}"):
            found = self._run(image, CHECK, _line_reporter(self.report))
            if found != python:
                raise ProvisionError(
                    f"The image has Python {found}, but --python is {python}, and it must be the clients': give a "
                    f"--base-image with Python {python}, or --python {found} if that is what the clients have."
                )

    def _pushed(self, image: str, tag: str) -> str:
        registry = image.partition("/")[0]
        with logged_in(self.builder, registry, credentials(self.clients), os.environ) as environment:
            try:
                command = self.builder.push(image)
                stream(f"{self.builder.name} push", command, _line_reporter(self.report), environment)
            except ProgramFailed:
                # tags don't move: somebody else may have pushed the same content at the same time
                if find_built(self.clients, self.stack, tag) is None:
                    raise
        pushed = find_built(self.clients, self.stack, tag)
        if pushed is None:
            raise ProvisionError(f"{image} was pushed, but ECR doesn't list it: run this again.")
        return pushed.image

    def _lock(self, local: str, image: str) -> None:
        """Write what is in the image `local`, which is called `image` in the registry, if that was asked for."""
        path = self.request.lock
        if path is None:
            return
        with reported_step(self.report, "lock", str(path)):
            bill = write_lock(path, parse_installed(self._run(local, INSPECT, lambda line: None)), image)
        self.report(OutputLine(f"bill of materials: {bill}"))

    def _run(self, image: str, code: str, say: Callable[[str], None]) -> str:
        command = self.builder.run_python(image, self.request.platform, code)
        return stream(f"{self.builder.name} run", command, say, os.environ | QUIET)


@contextmanager
def _secrets(index: PackageIndex, context: Context) -> Iterator[dict[str, str]]:
    """Files of the build's secrets by their ids, beside the context, and a recipe that asks for them."""
    if not index.pip_conf:
        yield {}
        return
    recipe = context.folder / "Dockerfile"
    recipe.write_text(index.with_secret(recipe.read_text()))
    with tempfile.NamedTemporaryFile("w", prefix="scaler-batch-secret-") as file:  # readable by this user alone
        file.write(index.pip_conf)
        file.flush()
        yield {SECRET: file.name}


def _line_reporter(report: Report) -> Callable[[str], None]:
    return lambda line: report(OutputLine(line))
