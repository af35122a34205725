"""Telemetry: what a running engine publishes, and how viewers connect to it."""
