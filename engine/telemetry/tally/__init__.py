"""Tallies that an engine keeps as jobs change, and that a viewer of a recording makes out of rows."""
