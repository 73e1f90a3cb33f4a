"""One owner a line: tickets in by priority, one exchange at a time, answers out."""
