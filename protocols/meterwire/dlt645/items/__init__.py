"""Identifiers as data: what the octets of each one mean, in every dialect and layout."""
