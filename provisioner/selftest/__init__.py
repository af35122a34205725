"""Selftest: what no stand-in can prove, run on a stack with the real engine and Scaler, as a table of checks."""
