"""Explaining frames to people and programs: byte by byte, and why one was refused."""
