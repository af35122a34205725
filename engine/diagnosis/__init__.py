"""Diagnosis of jobs that do not run: checks of AWS, and the verdict that follows from them."""
