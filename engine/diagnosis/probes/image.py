"""The job's image in ECR: whether it exists, for which processors, and which Python it says it holds.

An image index names its processors; a single image names its one, and its environment, in its configuration,
which ECR hands out as a signed URL. https://github.com/opencontainers/image-spec/blob/main/config.md
"""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from engine.diagnosis.evidence import Evidence, Fact, Image
from engine.diagnosis.reads import Document, Reader, Reading

INDEXES: Final = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
SINGLES: Final = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
CONFIG_BYTES: Final = 1 << 20
FETCH_S: Final = 10.0
ABSENT_CODES: Final = ("ImageNotFoundException", "RepositoryNotFoundException")
_ECR: Final = re.compile(
    r"(?P<account>\d{12})\.dkr[.-]ecr\.[a-z0-9-]+\.[^/]+/"
    r"(?P<repository>[^:@\s]+)(?::(?P<tag>[^@\s]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)


class Fetch(Protocol):
    """The bytes behind a URL. Raises `OSError` (`urllib.error.URLError` is one)."""

    def __call__(self, url: str) -> bytes: ...


def fetch(url: str) -> bytes:
    """The first MiB; an image's configuration is a few KiB."""
    with urllib.request.urlopen(url, timeout=FETCH_S) as answer:
        found: bytes = answer.read(CONFIG_BYTES)
    return found


@dataclass(frozen=True, slots=True)
class ImageProbe:
    """Reads `Evidence.job`'s image."""

    fetch: Fetch = fetch

    def __call__(self, reader: Reader, evidence: Evidence) -> Evidence:
        job = evidence.known_job
        if job is None or not job.image:
            return evidence
        return replace(evidence, image=self.read(reader, job.image))

    def read(self, reader: Reader, uri: str) -> Fact[Image]:
        parts = _ECR.fullmatch(uri)
        if parts is None:
            return Fact("", 0.0, Image(uri=uri, in_ecr=False, exists=False))
        place = {"registryId": parts["account"], "repositoryName": parts["repository"]}
        wanted = {"imageDigest": parts["digest"]} if parts["digest"] else {"imageTag": parts["tag"] or "latest"}
        reading = reader.read("ecr", "describe_images", **place, imageIds=[wanted])
        if reading.code in ABSENT_CODES:
            return Fact(reading.source, reading.at, Image(uri=uri, in_ecr=True, exists=False))
        if reading.trouble:
            return Fact(reading.source, reading.at, trouble=reading.trouble)
        image = Image(uri=uri, in_ecr=True, exists=True, last_pull_at=_last_pull(reading))
        return Fact(reading.source, reading.at, self._with_content(reader, image, place, wanted))

    def _with_content(self, reader: Reader, image: Image, place: Document, wanted: Document) -> Image:
        """As it is when the manifest can't be read: that the image exists is known all the same."""
        manifest = _manifest(reader, place, wanted)
        named = _of_index(manifest)
        if named:  # its images differ in the processor only
            manifest = _manifest(reader, place, {"imageDigest": next(iter(named.values()))})
        digest = (manifest.get("config") or {}).get("digest")
        config = self._config(reader, place, digest) if digest else {}
        found = tuple(sorted(named)) or tuple(filter(None, (config.get("architecture"),)))
        return replace(image, architectures=found, python=python_of(config.get("config") or {}))

    def _config(self, reader: Reader, place: Document, digest: str) -> Mapping[str, Any]:
        reading = reader.read("ecr", "get_download_url_for_layer", **place, layerDigest=digest)
        url = reading.answer.get("downloadUrl", "")
        if not url:
            return {}
        try:
            return _object(self.fetch(url))
        except OSError:
            return {}


def python_of(config: Mapping[str, Any]) -> str:
    """As the official images of Python say it: `PYTHON_VERSION=3.12.4`."""
    for entry in config.get("Env") or ():
        name, _, value = str(entry).partition("=")
        if name == "PYTHON_VERSION":
            return value
    return ""


def _manifest(reader: Reader, place: Document, wanted: Document) -> Mapping[str, Any]:
    accepted = [*INDEXES, *SINGLES]
    reading = reader.read("ecr", "batch_get_image", **place, imageIds=[wanted], acceptedMediaTypes=accepted)
    images = reading.answer.get("images", ())
    return _object(images[0].get("imageManifest", "{}").encode()) if images else {}


def _object(text: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _of_index(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Processor to digest; entries without a real processor are attestations. Empty for a single image."""
    entries = manifest.get("manifests") or ()
    found = {str((one.get("platform") or {}).get("architecture", "")): str(one.get("digest", "")) for one in entries}
    return {architecture: digest for architecture, digest in found.items() if architecture not in ("", "unknown")}


def _last_pull(reading: Reading) -> float | None:
    details = reading.answer.get("imageDetails") or [{}]
    pulled = details[0].get("lastRecordedPullTime")
    return None if pulled is None else float(pulled.timestamp())
