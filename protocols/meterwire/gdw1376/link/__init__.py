"""Octets <-> frames, and the parts that every frame has: addresses, unit identifiers, auxiliary fields."""
