"""From the log to the broker: nothing is published that is not kept, nothing is forgotten."""
