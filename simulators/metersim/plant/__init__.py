"""A plant: which meters stand where."""
