"""The demonstration: a simulated plant, the daemon, and a look at what arrives at each station."""
