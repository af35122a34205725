"""Lanes: what ran when, a lane a slot, a host or a function."""
