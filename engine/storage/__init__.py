"""Scaler's object storage: the connection, the cache of objects, the budget of bytes in memory."""
