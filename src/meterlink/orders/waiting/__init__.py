"""Who is in the dark because of us, and owes nothing any more."""
