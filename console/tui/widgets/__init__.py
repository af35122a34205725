"""Panes of the console: each takes plain data by `show` and repaints only the lines that changed."""
