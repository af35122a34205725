"""The runner, in a fork server that has imported Scaler: each of its test files would import it again in each job."""

from batch_job_runner import main

__all__ = ["main"]
