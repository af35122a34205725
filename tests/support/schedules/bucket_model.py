"""Model of S3 as the engine meets it: strongly consistent; its lifecycle deletes by age on the virtual clock."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from botocore.exceptions import ClientError

from tests.support.schedules.virtual_loop import VirtualLoop

DAY_S = 86_400.0
Stored = tuple[bytes, str, float]
"""An object: its bytes, its ETag, when it was written."""


def refused(operation: str, code: str, status: int) -> ClientError:
    """Make an error answer of AWS."""
    answer: Any = {"Error": {"Code": code, "Message": "modelled"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, operation)


@dataclass
class Bucket:
    """S3: strongly consistent. Its lifecycle rule deletes what is `days` old, at once."""

    loop: VirtualLoop
    days: int | None = None
    _objects: dict[str, Stored] = field(default_factory=dict)
    _writes: int = 0

    @property
    def objects(self) -> dict[str, Stored]:
        """What is there now, by key."""
        if self.days is not None:
            oldest = self.loop.wall_time() - self.days * DAY_S
            for key in [key for key, (_, _, written) in self._objects.items() if written <= oldest]:
                del self._objects[key]
        return self._objects

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, **more: Any) -> dict[str, Any]:
        present = self.objects.get(Key)
        if more.get("IfNoneMatch") and present is not None:
            raise refused("PutObject", "PreconditionFailed", 412)
        if "IfMatch" in more and (present is None or present[1] != more["IfMatch"]):
            raise refused("PutObject", "PreconditionFailed" if present else "NoSuchKey", 412 if present else 404)
        self._writes += 1
        self.objects[Key] = (bytes(Body), f'"{self._writes}"', self.loop.wall_time())
        return {"ETag": self.objects[Key][1]}

    def get_object(self, *, Bucket: str, Key: str, Range: str = "", **_: Any) -> dict[str, Any]:
        if Key not in self.objects:
            raise refused("GetObject", "NoSuchKey", 404)
        body, etag, written = self.objects[Key]
        if Range:
            first, last = map(int, Range.removeprefix("bytes=").split("-"))
            body = body[first : last + 1]
        now = datetime.fromtimestamp(self.loop.wall_time(), UTC)
        return {
            "Body": io.BytesIO(body),
            "ETag": etag,
            "LastModified": datetime.fromtimestamp(int(written), UTC),
            "ResponseMetadata": {"HTTPHeaders": {"date": format_datetime(now, usegmt=True)}},
        }

    def get_bucket_lifecycle_configuration(self, *, Bucket: str) -> dict[str, Any]:
        if self.days is None:
            raise refused("GetBucketLifecycleConfiguration", "NoSuchLifecycleConfiguration", 404)
        return {"Rules": [{"Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": self.days}}]}

    def list_objects_v2(self, *, Bucket: str, Prefix: str, **_: Any) -> dict[str, Any]:
        shown = sorted((key, stored[2]) for key, stored in self.objects.items() if key.startswith(Prefix))
        return {"Contents": [{"Key": key, "LastModified": datetime.fromtimestamp(at, UTC)} for key, at in shown]}

    def delete_object(self, *, Bucket: str, Key: str, **_: Any) -> dict[str, Any]:
        self.objects.pop(Key, None)
        return {}

    def delete_objects(self, *, Bucket: str, Delete: dict[str, Any], **_: Any) -> dict[str, Any]:
        for entry in Delete["Objects"]:
            self.objects.pop(entry["Key"], None)
        return {}

    def copy_object(self, *, Bucket: str, Key: str, CopySource: Any, **_: Any) -> dict[str, Any]:
        source = CopySource["Key"] if isinstance(CopySource, dict) else CopySource.partition("/")[2]
        if source not in self.objects:
            raise refused("CopyObject", "NoSuchKey", 404)
        return self.put_object(Bucket=Bucket, Key=Key, Body=self.objects[source][0])
