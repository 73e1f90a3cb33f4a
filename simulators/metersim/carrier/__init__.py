"""A carrier module of Q/GDW 1376.2 and the network of meters behind it."""
