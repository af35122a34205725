"""What a manager does about its predecessor: the lease, the scan, adoption, reconciliation."""
