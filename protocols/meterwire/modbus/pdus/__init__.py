"""What a Modbus frame carries: a function and its fields, the same on every kind of line."""
