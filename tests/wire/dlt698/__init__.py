"""DL/T 698.45 on the wire."""
