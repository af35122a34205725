"""Health of the engine as the console tells it: alerts, freshness, links, and what an empty table waits for."""
