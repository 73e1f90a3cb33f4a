"""Weeks of a whole gateway in simulated time, and a plant that knows by itself what could have been read."""
