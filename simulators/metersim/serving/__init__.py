"""Ways in from other processes: TCP ports and pseudo-terminals."""
