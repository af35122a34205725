"""One module a command (or a family of commands); loaded when the command runs."""
