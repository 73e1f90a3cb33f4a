"""Weeks of a gateway that reaches its meters by every way, in simulated time."""
