"""The disconnect case: what goes before the order of a trip."""
