"""Child processes of the console: how an engine is started, followed and ended."""
