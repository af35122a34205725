"""AWS Batch as an `HPCBackend`: submissions out, results back, everything through S3 and job names."""

from __future__ import annotations

from engine.backends.batch.backend import BatchBackend

__all__ = ["BatchBackend"]
