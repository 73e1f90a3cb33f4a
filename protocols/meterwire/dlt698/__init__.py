"""DL/T 698.45: link frames, segments, APDUs, data and sessions, without I/O."""
