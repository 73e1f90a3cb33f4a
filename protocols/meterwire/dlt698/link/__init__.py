"""Octets on the wire <-> frames, and APDUs in segments."""
