"""The line: octets of requests in, octets of answers out, and what goes wrong on the way."""
