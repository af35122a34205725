"""The seam to whatever runs the tasks elsewhere, its registry, and the backends."""
