"""Why nothing runs: what AWS is asked about a job, its queue and its environments, and the verdict drawn from it."""
