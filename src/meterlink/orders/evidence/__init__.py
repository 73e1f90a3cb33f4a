"""What other systems and people tell us: typed records, kept once, and what they say of one meter."""
