"""What billing takes out: freezes as they were kept, consumption between them, days that are sealed."""
