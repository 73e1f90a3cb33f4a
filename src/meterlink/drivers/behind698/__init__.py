"""Meters behind a concentrator of DL/T 698.45: its store, the meter through it, or frames of the meter."""
