"""Child processes of the console: the engine and `local`, started, followed and ended."""
