"""What the engine tells about itself while it runs, and how others look at it."""
