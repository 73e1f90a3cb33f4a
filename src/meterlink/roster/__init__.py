"""Which meters there are: the roster as the journal keeps it, as tables bring it, and as rules read it."""
