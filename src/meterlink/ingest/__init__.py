"""From the broker to the time-series database; it could run on another machine."""
