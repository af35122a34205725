"""Server side of telemetry: publishes snapshots and answers requests inside the engine."""
