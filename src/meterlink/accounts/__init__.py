"""Who may ask the daemon over the network, and for what."""
