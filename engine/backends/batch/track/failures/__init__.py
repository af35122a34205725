"""Failures: what AWS tells of a job that failed, its cause, the end of its log, what its task gets for an outcome."""
