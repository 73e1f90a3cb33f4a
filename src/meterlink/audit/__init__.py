"""The chain of acts: signed, and checked by anybody."""
