"""Groups of jobs on the dashboard."""
