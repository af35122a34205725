"""CloudWatch Logs as far as jobs need it."""
