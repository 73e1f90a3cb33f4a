"""The requester's end of the wire: one request out, its answer in."""
