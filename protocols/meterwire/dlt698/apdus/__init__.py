"""Every APDU of DL/T 698.45 as a declared class, the codes in them, and which of their octets are secret."""
