"""Old journals, migrated."""
