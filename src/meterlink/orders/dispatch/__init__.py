"""An order on its line: started, sent once, read back until it is clear what became of it."""
