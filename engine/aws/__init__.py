"""Bottom layer of the engine: AWS sessions and clients, call budgets, error classes and documented limits."""
