"""Journal: the events of an engine, and the way back to their moments in a recording."""
