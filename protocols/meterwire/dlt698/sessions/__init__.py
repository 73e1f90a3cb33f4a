"""Who sends what when: client, server, terminal and listener, without I/O and without a clock."""
