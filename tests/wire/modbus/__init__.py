"""Modbus on the wire."""
