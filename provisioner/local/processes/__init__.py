"""Jobs as processes of this machine: the fork server, its executor, memory limits, the watch on a parent."""
