"""Whether the job's image exists, for the processors of the environments."""

from __future__ import annotations

from engine.diagnosis import remedies
from engine.diagnosis.evidence import Evidence, Image
from engine.diagnosis.findings import Assessment, Cause, duration, failed, passed, unknown


def look(evidence: Evidence, image: Image | None) -> Assessment:
    if image is None or not image.in_ecr:
        return unknown(f"{image.uri if image else 'the image'} is not in ECR: only images there can be looked at")
    if not image.exists:
        return failed(f"{image.uri} is not in ECR", _missing(evidence, image))
    wanted = architectures(evidence)
    if not image.architectures:
        return passed(f"{image.uri} is there{_pulled(evidence, image)}; for which processors could not be read")
    told = f"{image.uri} for {', '.join(image.architectures)}{_pulled(evidence, image)}"
    if wanted and not wanted & set(image.architectures):
        return failed(f"{told}; the instances are {', '.join(sorted(wanted))}", _wrong(evidence, image, wanted))
    return passed(told)


def architectures(evidence: Evidence) -> set[str]:
    """Of the instances that the environments may start; empty when they are not known."""
    types = (evidence.types.value or ()) if evidence.types is not None else ()
    return {architecture for one in types for architecture in one.architectures}


def _pulled(evidence: Evidence, image: Image) -> str:
    if image.last_pull_at is None:
        return ""
    return f", last pulled {duration(max(0.0, evidence.now - image.last_pull_at))} ago"


def _missing(evidence: Evidence, image: Image) -> Cause:
    text = f"Image {image.uri} does not exist: a job that starts with it fails."
    return Cause(verdict="the image is missing", text=text, remedies=(remedies.build_image(evidence),), settles=False)


def _wrong(evidence: Evidence, image: Image, wanted: set[str]) -> Cause:
    text = (
        f"Image {image.uri} is for {', '.join(image.architectures)}, and the environments start "
        f"{', '.join(sorted(wanted))} instances: its program can't run there."
    )
    todo = (remedies.build_image(evidence),)
    return Cause(verdict="the image is for another processor", text=text, remedies=todo, settles=False)
