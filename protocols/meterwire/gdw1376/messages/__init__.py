"""What a frame says: messages <-> frames."""
