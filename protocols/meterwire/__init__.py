"""Sans-IO codecs of the meter protocols: octets in, typed messages out, and back."""
