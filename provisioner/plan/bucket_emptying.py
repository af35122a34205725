"""Emptying of a bucket: objects, versions, delete markers, unfinished uploads."""

from __future__ import annotations

from typing import Final

from provisioner.clients import Clients, Document
from provisioner.errors import ProvisionError

KEYS_PER_DELETE: Final = 1000
"""Limit of DeleteObjects and of a page of ListObjectVersions:
https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html"""


def empty_bucket(clients: Clients, bucket: str, owner: str) -> None:
    """Delete everything in a bucket of an account. Raises `ProvisionError` when S3 keeps something, `CallFailed`."""
    place = {"Bucket": bucket, "ExpectedBucketOwner": owner}
    _abort_uploads(clients, place)
    while entries := _next_page(clients, place):
        _delete(clients, place, entries)


def _abort_uploads(clients: Clients, place: Document) -> None:
    for upload in clients.listing("s3", "list_multipart_uploads", "Uploads", place):
        parameters = {**place, "Key": upload["Key"], "UploadId": upload["UploadId"]}
        clients.call("s3", "abort_multipart_upload", parameters)


def _next_page(clients: Clients, place: Document) -> list[Document]:
    page = clients.call("s3", "list_object_versions", {**place, "MaxKeys": KEYS_PER_DELETE})
    return [*page.get("Versions", []), *page.get("DeleteMarkers", [])]


def _delete(clients: Clients, place: Document, entries: list[Document]) -> None:
    keys = [{"Key": entry["Key"], "VersionId": entry["VersionId"]} for entry in entries]
    parameters = {**place, "Delete": {"Objects": keys, "Quiet": True}}
    refused = clients.call("s3", "delete_objects", parameters).get("Errors", [])
    if refused:
        first = refused[0]
        raise ProvisionError(
            f"S3 kept {len(refused)} of {len(keys)} objects ({first.get('Code')}: {first.get('Key')})."
        )
