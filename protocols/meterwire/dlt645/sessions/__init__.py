"""The head-end's side of an exchange, without I/O and without a clock."""
