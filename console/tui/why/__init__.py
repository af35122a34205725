"""A diagnosis as people read it: lines on the why screen, and reports to take away."""
