"""Secrets of submissions: the same for who has the signing key, and of no use for another submission."""

from __future__ import annotations

from engine.backends.batch.submission_secrets import SubmissionSecrets, new_signing_key

KEY = bytes(range(32))
FIRST, SECOND = "1" * 32, "2" * 32


def test_who_has_the_signing_key_derives_the_same_secrets() -> None:
    assert SubmissionSecrets(KEY).of(FIRST) == SubmissionSecrets(KEY).of(FIRST)
    assert SubmissionSecrets(KEY).bundle_token(FIRST) == SubmissionSecrets(KEY).bundle_token(FIRST)


def test_no_two_submissions_keys_or_uses_share_a_secret() -> None:
    secrets = SubmissionSecrets(KEY)
    tokens = {secrets.bundle_token(FIRST), secrets.bundle_token(SECOND)}
    found = {secrets.of(FIRST), secrets.of(SECOND), SubmissionSecrets(bytes(32)).of(FIRST)}
    assert ({len(one) for one in found}, len(found)) == ({32}, 3)
    assert ({len(one) for one in tokens}, len(tokens)) == ({16}, 2)
    assert tokens.isdisjoint(one[:16] for one in found)


def test_a_signing_key_is_made_of_32_random_bytes() -> None:
    assert len(new_signing_key()) == 32
    assert new_signing_key() != new_signing_key()
