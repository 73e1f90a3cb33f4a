"""The two kinds of blame on the wire: ours (local) and theirs (remote)."""


class WireError(Exception):
    """Base of every error that ``meterwire`` raises; never raised itself."""


class LocalProtocolError(WireError):
    """We asked for something the protocol does not allow: a bug of the caller."""


class Evidence(bytes):
    """Octets that an error carries: they may hold a password, so they do not show when printed."""

    def __repr__(self) -> str:
        """How many there are."""
        return f"<{len(self)} octets>"

    __str__ = __repr__


class RemoteProtocolError(WireError):
    """The octets received break the protocol.

    Args:
        message: one sentence for an operator.
        kind: short name of the fault: ``"checksum"``, ``"truncated"``, ``"end"``,
            ``"second-start"``, ``"length"`` or ``"no-frame"``; in DL/T 698.45 also ``"short"``,
            ``"start"``, ``"trailing"``, ``"hcs"``, ``"fcs"``, ``"segment"``, ``"apdu"``,
            ``"unasked-time-tag"``, ``"unasked-envelope"`` and ``"endless"``; in Modbus also ``"crc"``,
            ``"unit"``, ``"protocol"``, ``"function"`` and ``"value"``.
        octets: what was received, as evidence; hidden when printed.
        offset: index into ``octets`` of the first octet that is wrong, or ``None``.

    """

    def __init__(self, message: str, *, kind: str, octets: bytes = b"", offset: int | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.octets = Evidence(octets)
        self.offset = offset
