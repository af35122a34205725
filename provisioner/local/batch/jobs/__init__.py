"""Jobs: accepted, placed, run over attempts, listed, ended."""
