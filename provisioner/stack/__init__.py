"""Stack: what is asked for, the names of its resources, and the files that remember it."""
