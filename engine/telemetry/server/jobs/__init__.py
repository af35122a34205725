"""Answers about groups of jobs, failures and events."""
