"""Q/GDW 1376: concentrators and carrier modules."""
