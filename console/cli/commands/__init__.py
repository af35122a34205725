"""Commands, one module each; loaded when the command runs.

Inside them, what is heavy (msgspec, ZeroMQ, Rich, Textual) is imported by the functions that need it, so that `--help`
of a command costs Typer alone.
"""
