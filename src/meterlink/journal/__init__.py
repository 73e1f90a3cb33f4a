"""The append-only log on disk: every reading that was ever kept, and how far each sink has followed it."""
