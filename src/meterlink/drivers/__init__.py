"""Turning "read these items of this meter" into exchanges of one protocol, and answers into readings."""
