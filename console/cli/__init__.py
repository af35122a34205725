"""The `scaler-batch` command line: the table of commands, and what the commands share."""
