"""The composition root: it builds the rooms, wires them, starts one group of tasks, and stops it."""
