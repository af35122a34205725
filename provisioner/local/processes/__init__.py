"""Jobs and Scaler's programs as processes of this machine: the fork server and its executor, the guard on a parent."""
