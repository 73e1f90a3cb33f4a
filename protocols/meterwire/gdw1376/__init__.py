"""Q/GDW 1376: how meters behind concentrators (1376.1) and carrier modules (1376.2) are reached. No I/O."""
