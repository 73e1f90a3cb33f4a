"""DL/T 645 on the wire."""
