"""Log lines on their way to a log view: buffered, fed by requests, read at a position."""
