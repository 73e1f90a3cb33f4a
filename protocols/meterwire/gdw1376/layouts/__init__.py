"""The layout of a content, as a table writes it, and what reads and builds contents by it."""
