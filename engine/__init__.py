"""The engine: the worker manager, headless. `python -P -m engine` runs it."""
