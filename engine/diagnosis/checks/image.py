"""Container image of the job: whether ECR has it, for the processors of the environments.

An image index names its processors; a single image names its one, and its environment, in its configuration,
which ECR hands out as a signed URL. https://github.com/opencontainers/image-spec/blob/main/config.md
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from engine.aws.ecr import ECR_IMAGE
from engine.diagnosis import remedies
from engine.diagnosis.assessment import Assessment, Cause, failed, format_duration, passed, unknown
from engine.diagnosis.evidence import Evidence, Fact, Image
from engine.diagnosis.model import VerdictKind
from engine.diagnosis.reads import Document, Reader, Reading

INDEX_TYPES: Final = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFEST_TYPES: Final = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
ABSENT_CODES: Final = ("ImageNotFoundException", "RepositoryNotFoundException")


def read(reader: Reader, evidence: Evidence) -> Evidence:
    """Read the image of the job."""
    job = evidence.known_job
    if job is None or not job.image:
        return evidence
    return replace(evidence, image=_read_image(reader, job.image))


def assess(evidence: Evidence, image: Image | None) -> Assessment:
    """It must exist, and for a processor that the environments start."""
    if image is None or not image.in_ecr:
        return unknown(f"{image.uri if image else 'the image'} is not in ECR: only images there can be looked at")
    if not image.exists:
        return failed(f"{image.uri} is not in ECR", _missing(evidence, image))
    needed = _needed_architectures(evidence)
    if not image.architectures:
        return passed(f"{image.uri} is there{_describe_pull(evidence, image)}; for which processors could not be read")
    text = f"{image.uri} for {', '.join(image.architectures)}{_describe_pull(evidence, image)}"
    if needed and not needed & set(image.architectures):
        return failed(
            f"{text}; the instances are {', '.join(sorted(needed))}", _wrong_processor(evidence, image, needed)
        )
    return passed(text)


def _needed_architectures(evidence: Evidence) -> set[str]:
    """Of the instances that the environments may start; empty when they are not known."""
    types = (evidence.instance_types.value or ()) if evidence.instance_types is not None else ()
    return {architecture for one in types for architecture in one.architectures}


def _describe_pull(evidence: Evidence, image: Image) -> str:
    if image.last_pull_at is None:
        return ""
    return f", last pulled {format_duration(max(0.0, evidence.now - image.last_pull_at))} ago"


def _missing(evidence: Evidence, image: Image) -> Cause:
    text = f"Image {image.uri} does not exist: a job that starts with it fails."
    todo = (remedies.build_image(evidence),)
    return Cause(kind=VerdictKind.BLOCKED, verdict="the image is missing", text=text, remedies=todo, settles=False)


def _wrong_processor(evidence: Evidence, image: Image, needed: set[str]) -> Cause:
    text = (
        f"Image {image.uri} is for {', '.join(image.architectures)}, and the environments start "
        f"{', '.join(sorted(needed))} instances: its program can't run there."
    )
    todo = (remedies.build_image(evidence),)
    return Cause(
        kind=VerdictKind.BLOCKED,
        verdict="the image is for another processor",
        text=text,
        remedies=todo,
        settles=False,
    )


def _read_image(reader: Reader, uri: str) -> Fact[Image]:
    parts = ECR_IMAGE.fullmatch(uri)
    if parts is None:
        return Fact("", 0.0, Image(uri=uri, in_ecr=False, exists=False))
    repository = {"registryId": parts["account"], "repositoryName": parts["repository"]}
    image_id = {"imageDigest": parts["digest"]} if parts["digest"] else {"imageTag": parts["tag"] or "latest"}
    reading = reader.read("ecr", "describe_images", **repository, imageIds=[image_id])
    if reading.code in ABSENT_CODES:
        return Fact(reading.source, reading.at, Image(uri=uri, in_ecr=True, exists=False))
    if reading.error:
        return Fact(reading.source, reading.at, error=reading.error)
    image = Image(uri=uri, in_ecr=True, exists=True, last_pull_at=_last_pull_of(reading))
    return Fact(reading.source, reading.at, _with_content(reader, image, repository, image_id))


def _with_content(reader: Reader, image: Image, repository: Document, image_id: Document) -> Image:
    """As it is when the manifest can't be read: that the image exists is known all the same."""
    manifest = _read_manifest(reader, repository, image_id)
    digests = _digests_of(manifest)
    if digests:  # its images differ in the processor only
        manifest = _read_manifest(reader, repository, {"imageDigest": next(iter(digests.values()))})
    digest = (manifest.get("config") or {}).get("digest")
    config = _read_config(reader, repository, digest) if digest else {}
    found = tuple(sorted(digests)) or tuple(filter(None, (config.get("architecture"),)))
    return replace(image, architectures=found, python=_python_of(config.get("config") or {}))


def _read_config(reader: Reader, repository: Document, digest: str) -> Mapping[str, Any]:
    reading = reader.read("ecr", "get_download_url_for_layer", **repository, layerDigest=digest)
    url = reading.answer.get("downloadUrl", "")
    if not url:
        return {}
    try:
        return _parse_object(reader.fetch(url))
    except OSError:
        return {}


def _python_of(config: Mapping[str, Any]) -> str:
    """As the official images of Python say it: `PYTHON_VERSION=3.12.4`."""
    for entry in config.get("Env") or ():
        name, _, value = str(entry).partition("=")
        if name == "PYTHON_VERSION":
            return value
    return ""


def _read_manifest(reader: Reader, repository: Document, image_id: Document) -> Mapping[str, Any]:
    accepted = [*INDEX_TYPES, *MANIFEST_TYPES]
    reading = reader.read("ecr", "batch_get_image", **repository, imageIds=[image_id], acceptedMediaTypes=accepted)
    images = reading.answer.get("images", ())
    return _parse_object(images[0].get("imageManifest", "{}").encode()) if images else {}


def _parse_object(text: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _digests_of(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Processor to digest; entries without a real processor are attestations. Empty for a single image."""
    entries = manifest.get("manifests") or ()
    found = {str((one.get("platform") or {}).get("architecture", "")): str(one.get("digest", "")) for one in entries}
    return {architecture: digest for architecture, digest in found.items() if architecture not in ("", "unknown")}


def _last_pull_of(reading: Reading) -> float | None:
    details = reading.answer.get("imageDetails") or [{}]
    pulled = details[0].get("lastRecordedPullTime")
    return None if pulled is None else float(pulled.timestamp())
