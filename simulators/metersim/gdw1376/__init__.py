"""A concentrator of Q/GDW 1376.1 and the meters behind it."""
