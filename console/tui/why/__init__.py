"""Views of a diagnosis: lines of the why screen, and reports to take away."""
