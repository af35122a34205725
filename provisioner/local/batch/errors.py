"""Error answers of AWS Batch.

https://docs.aws.amazon.com/batch/latest/APIReference/CommonErrors.html"""

from __future__ import annotations


class BatchError(Exception):
    """An AWS Batch error answer: HTTP status, error code, message."""

    def __init__(self, message: str, code: str = "ClientException", status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


def client_error(message: str) -> BatchError:
    """The caller is wrong; Batch says everything else with this one code."""
    return BatchError(message)


def invalid(message: str) -> BatchError:
    """The request can't be carried out as it stands; so Batch begins what it says about it."""
    return client_error(f"Error executing request, Exception : {message}")
