"""Exceptions from the rules of checkov, a scanner of templates, each with its reason where the scanner looks for it.

https://www.checkov.io/2.Basics/Suppressing%20and%20Skipping%20Policies.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from provisioner.clients import Document

EXCEPTIONS: Final[Mapping[str, Mapping[str, str]]] = {
    "AWS::S3::Bucket": {
        "CKV_AWS_18": "Logs of its accesses need another bucket; data events of CloudTrail tell the same without one.",
        "CKV_AWS_21": "Each key is written for one task and deleted after it: versions would keep what has to expire.",
    },
    "AWS::Logs::LogGroup": {
        "CKV_AWS_158": "CloudWatch Logs encrypts every group; a key of one's own is the organization's choice.",
    },
    "AWS::ECR::Repository": {
        "CKV_AWS_136": "ECR encrypts every image with AES-256; a key of one's own is the organization's choice.",
    },
}
"""Reasons by rule, by the type of resource."""


def with_exceptions(resources: Mapping[str, Document]) -> dict[str, Document]:
    """Resources of a template with the exceptions in their metadata, which deployment doesn't look at."""
    return {name: {**one, **_metadata(one["Type"])} for name, one in resources.items()}


def _metadata(kind: str) -> Document:
    skipped = [{"id": rule, "comment": reason} for rule, reason in EXCEPTIONS.get(kind, {}).items()]
    return {"Metadata": {"checkov": {"skip": skipped}}} if skipped else {}
