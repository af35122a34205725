"""Failure inbox: what befell jobs, by function and cause."""
