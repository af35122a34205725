"""Log lines for a log view: requested, buffered, read at a position."""
