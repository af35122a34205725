"""Region and account id of the provisioner's tests."""

from __future__ import annotations

REGION = "us-east-1"

ACCOUNT = "123456789012"
