"""Several engines in one console: a tab each, and a table of all their worker managers."""
