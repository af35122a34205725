"""The bottom layer of the engine: AWS sessions, call budgets, error classes and checked limits."""
