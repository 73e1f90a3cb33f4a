"""Meters of Modbus: registers by a map, over RTU on a line or over TCP, with the same works as the others."""
