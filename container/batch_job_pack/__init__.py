"""A pack: consecutive entries of a submission that one job runs, a process for each."""
