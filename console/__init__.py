"""The command line and the Textual app; sees a running engine only through telemetry."""
