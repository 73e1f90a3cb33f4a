"""Who is behind each meter, as far as rules ask."""
