"""Jobs' log lines on behalf of viewers: which streams, read once, kept in rings."""
