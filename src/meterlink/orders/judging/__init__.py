"""Facts gathered for the rules, what follows the log for them, and what people do about limits."""
