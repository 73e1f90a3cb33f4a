"""Meters of DL/T 645: what acquisition and orders ask, as exchanges, and answers as values."""
