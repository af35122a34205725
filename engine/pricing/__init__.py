"""Prices of what jobs run on, what jobs have cost by them, and the budget that bounds it."""
