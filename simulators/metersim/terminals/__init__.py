"""Terminals that stand between a master and meters: a concentrator of DL/T 698.45."""
