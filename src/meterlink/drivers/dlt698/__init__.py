"""Meters and terminals of DL/T 698.45: what is asked, as exchanges, and answers as values."""
