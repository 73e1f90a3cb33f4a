"""Meters behind concentrators of Q/GDW 1376.1: its session, its store, and the way through it."""
