"""Orders: disconnect, reconnect, top-up, guarantee and alarm, each at most once."""
