"""A carrier module of Q/GDW 1376.2 on a line of ours: one owner, and lanes that look like cables."""
