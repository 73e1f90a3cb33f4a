"""One message of every kind that holds a password, a key, cipher or a MAC, with drawn ones in it."""

from __future__ import annotations

from random import Random
from typing import Any

from meterwire.dlt645 import Message, ReadReply
from meterwire.dlt645.link.functions import Edition
from meterwire.dlt645.messages.clears_and_freezes import (
    ClearDemandRequest,
    ClearEventsRequest,
    ClearMeterRequest,
)
from meterwire.dlt645.messages.control import (
    ControlRequest,
    SealedControlRequest,
    SecurityReply,
    SecurityRequest,
)
from meterwire.dlt645.messages.messages import ReadAgainReply
from meterwire.dlt645.messages.programming import ChangePasswordReply, ChangePasswordRequest, WriteRequest

_ME = "000000000161"
_DIGITS = bytes.fromhex("102030")


def messages(random: Random) -> list[tuple[Edition, Message]]:
    """Every kind of message that holds a secret, with drawn ones."""

    def digits(count: int) -> str:
        return "".join(random.choices("0123456789", k=count))

    access: dict[str, Any] = {"address": _ME, "level": 2, "password": digits(6)}
    operated: dict[str, Any] = {**access, "operator_code": digits(8)}
    security: dict[str, Any] = {"address": _ME, "operator_code": digits(8)}
    new: dict[str, Any] = {"new_level": 4, "new_password": digits(6)}
    expires = bytes.fromhex("003015221126")
    sealed = random.randbytes(20)
    return [
        ("dlt645-2007", WriteRequest(**operated, di=0x04000102, payload=_DIGITS)),
        ("dlt645-2007", WriteRequest(**operated, di=0x04000C03, payload=random.randbytes(4))),
        ("dlt645-2007", WriteRequest(**{**operated, "level": 0x98}, di=0x04000102, payload=sealed)),
        ("dlt645-2007", WriteRequest(**{**operated, "level": 0x99}, di=0x04000102, payload=sealed)),
        ("dlt645-2007", WriteRequest(**{**operated, "level": 0x35}, di=0x04000102, payload=sealed)),
        ("dlt645-2007", ChangePasswordRequest(**access, di=0x04000C03, **new)),
        ("dlt645-2007", ChangePasswordReply(address=_ME, **new)),
        ("dlt645-2007", ClearDemandRequest(**operated)),
        ("dlt645-2007", ClearMeterRequest(**{**operated, "level": 0x98}, sealed=sealed)),
        ("dlt645-2007", ClearEventsRequest(**operated, event=0xFFFFFFFF)),
        ("dlt645-2007", ControlRequest(**operated, command=0x1A, expires=expires)),
        ("dlt645-2007", SealedControlRequest(**security, mac=digits(8), cipher=digits(32))),
        ("dlt645-2007", SecurityRequest(**security, di=0x070000FF, payload=random.randbytes(24))),
        ("dlt645-2007", SecurityRequest(**security, di=0x070102FF, payload=random.randbytes(22))),
        ("dlt645-2007", SecurityRequest(**security, di=0x070201FF, payload=random.randbytes(40))),
        ("dlt645-2007", SecurityRequest(**security, di=0x07FFFFFF, payload=random.randbytes(40))),
        ("dlt645-2007", SecurityReply(address=_ME, di=0x070000FF, payload=random.randbytes(12))),
        ("dlt645-2007", SecurityReply(address=_ME, di=0x078102FF, payload=random.randbytes(26))),
        (
            "dlt645-2007",
            SecurityReply(address=_ME, di=0x078102FF, payload=random.randbytes(26), has_following=True),
        ),
        ("dlt645-2007", ReadReply(address=_ME, di=0x04000C02, data=random.randbytes(4))),
        ("dlt645-1997", WriteRequest(**access, di=0xC010, payload=_DIGITS)),
        ("dlt645-1997", WriteRequest(**access, di=0xC212, payload=random.randbytes(4))),
        ("dlt645-1997", ChangePasswordRequest(**access, **new)),
        ("dlt645-1997", ChangePasswordReply(address=_ME, **new)),
        ("dlt645-1997", ClearDemandRequest(**access)),
        ("dlt645-1997", ReadReply(address=_ME, di=0xC212, data=random.randbytes(4))),
        ("dlt645-1997", ReadAgainReply(address=_ME, di=0xC212, data=random.randbytes(4))),
    ]
