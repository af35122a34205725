"""Takeover from a predecessor: the lease, the scan, adoption, reconciliation."""
