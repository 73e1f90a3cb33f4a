"""Qualification at work: probes at real meters, and what the log holds of the results."""
