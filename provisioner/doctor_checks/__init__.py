"""What `doctor` looks at, one module a subject; what jobs need to start is looked at as the diagnosis does it."""
