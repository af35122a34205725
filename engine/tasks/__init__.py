"""Tasks between the scheduler and a backend: their states, queue, loading, cancels and deliveries."""
