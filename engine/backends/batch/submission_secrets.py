"""Secrets of submissions: what signs a submission's results, and by which nobody guesses the name of its bundle.

Derived from the manager's signing key and the submission's random id, so that a successor, who gets the key with the
lease, checks results whose jobs Batch has forgotten, and nothing is kept or asked for a submission.
"""

from __future__ import annotations

import hmac
import secrets
from typing import Final

KEY_BYTES: Final = 32
_TOKEN_BYTES: Final = 16


def new_signing_key() -> bytes:
    """Make a signing key: 32 random bytes."""
    return secrets.token_bytes(KEY_BYTES)


class SubmissionSecrets:
    """Derives secrets from the signing key; who has one of them learns nothing of the others."""

    def __init__(self, signing_key: bytes) -> None:
        self._signing_key = signing_key

    def of(self, submission_id: str) -> bytes:
        """The secret of a submission, 32 bytes: the payload frame brings it to the job."""
        return hmac.digest(self._signing_key, submission_id.encode(), "sha256")

    def bundle_token(self, submission_id: str) -> bytes:
        """The 16 bytes that make the name of the submission's bundle impossible to guess."""
        return hmac.digest(self._signing_key, b"bundle " + submission_id.encode(), "sha256")[:_TOKEN_BYTES]
