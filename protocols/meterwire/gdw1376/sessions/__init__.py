"""Exchanges and reports, without I/O."""
