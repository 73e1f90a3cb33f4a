"""Frames around a PDU: RTU with its CRC, TCP with its MBAP header, and finding either in a stream."""
