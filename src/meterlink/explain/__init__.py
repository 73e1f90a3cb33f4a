"""Explaining octets: what each one says, or why a frame was refused."""
