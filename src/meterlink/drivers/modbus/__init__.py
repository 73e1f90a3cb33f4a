"""Meters of Modbus: maps of registers, read in blocks."""
