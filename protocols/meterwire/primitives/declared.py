"""Octets by a construct declaration, with the one error that all codecs of the wire raise."""

from __future__ import annotations

from typing import Any

import construct as c

from meterwire.errors import RemoteProtocolError


def parsed(declaration: c.Construct[Any, Any], octets: bytes) -> Any:
    """What a declared frame says.

    Args:
        declaration: of the whole frame.
        octets: exactly one.

    Raises:
        RemoteProtocolError: the octets are not exactly one frame.

    """
    try:
        return declaration.parse(octets)
    except c.ConstructError as error:
        raise RemoteProtocolError(str(error), kind="no-frame", octets=octets) from None
