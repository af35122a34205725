"""Faults that can be switched on, and whether one strikes now."""
