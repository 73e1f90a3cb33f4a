"""Octets on the wire <-> frames, and what the control octet says."""
