"""Type hints <-> octets: the coding of everything inside a frame, and the types of Data."""
