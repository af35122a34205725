"""Lists of what an engine answered with: a view without a terminal, and a table of it."""
