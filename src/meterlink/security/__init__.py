"""Who proves controls to meters."""
