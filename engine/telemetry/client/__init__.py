"""The client side of telemetry: a live or recorded source of what an engine publishes."""
