"""Scaler's own tests, of the release that is installed, with an engine of ours in the place of its workers."""
