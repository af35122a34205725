"""The jobs of one worker manager as telemetry and metrics show them."""
