"""The telemetry protocol: messages, requests, state, filters, and their bytes."""
