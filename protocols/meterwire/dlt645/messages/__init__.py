"""Frames <-> what they say: reads, commands, controls; and which octets of them are secret."""
