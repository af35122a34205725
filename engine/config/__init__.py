"""Configuration: the table of parameters, its sources, and the values that they resolve to."""
