"""Disconnect cases in simulated time, without the readings around them."""
