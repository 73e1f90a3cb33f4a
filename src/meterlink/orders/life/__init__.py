"""One order from its creation to its end, without I/O or clock: states, guards, what its acts make of it."""
