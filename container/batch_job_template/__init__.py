"""The warm template of a packed job: its function is loaded once, and the tasks' processes are forked from there."""
