"""The types that flow through the rooms: readings, records of the log, envelopes."""
