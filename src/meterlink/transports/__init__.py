"""Moving octets (lines) and messages (broker); nothing here knows what they mean."""
