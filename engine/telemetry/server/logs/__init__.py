"""Logs of jobs on behalf of viewers: streams resolved, each read once, lines kept in rings."""
