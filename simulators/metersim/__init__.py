"""A plant of electricity meters without hardware: meters, their line, their faults."""
