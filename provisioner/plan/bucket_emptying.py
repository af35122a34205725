"""Emptying of a bucket: objects, versions, delete markers, unfinished uploads."""

from __future__ import annotations

from typing import Final

from provisioner.clients import Clients, Document
from provisioner.errors import ProvisionError

KEYS_PER_DELETE: Final = 1000
"""Limit of DeleteObjects and of a page of ListObjectVersions:
https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html"""


def empty_bucket(clients: Clients, bucket: str) -> None:
    """Delete everything in a bucket. Raises `ProvisionError` when S3 keeps something, `CallFailed`."""
    _abort_uploads(clients, bucket)
    while entries := _next_page(clients, bucket):
        _delete(clients, bucket, entries)


def _abort_uploads(clients: Clients, bucket: str) -> None:
    for upload in clients.listing("s3", "list_multipart_uploads", "Uploads", {"Bucket": bucket}):
        parameters = {"Bucket": bucket, "Key": upload["Key"], "UploadId": upload["UploadId"]}
        clients.call("s3", "abort_multipart_upload", parameters)


def _next_page(clients: Clients, bucket: str) -> list[Document]:
    page = clients.call("s3", "list_object_versions", {"Bucket": bucket, "MaxKeys": KEYS_PER_DELETE})
    return [*page.get("Versions", []), *page.get("DeleteMarkers", [])]


def _delete(clients: Clients, bucket: str, entries: list[Document]) -> None:
    keys = [{"Key": entry["Key"], "VersionId": entry["VersionId"]} for entry in entries]
    parameters = {"Bucket": bucket, "Delete": {"Objects": keys, "Quiet": True}}
    refused = clients.call("s3", "delete_objects", parameters).get("Errors", [])
    if refused:
        first = refused[0]
        raise ProvisionError(
            f"S3 kept {len(refused)} of {len(keys)} objects ({first.get('Code')}: {first.get('Key')})."
        )
