"""Payments, log and meters compared, day by day."""
