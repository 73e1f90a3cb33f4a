"""Which Fn there are, and the layouts of what they carry."""
