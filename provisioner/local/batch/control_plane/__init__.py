"""Compute environments, job queues and job definitions: rules, states and health."""
