"""What kind of switch and money a meter has: its character, which a model's profile gives.

Meters differ in the ten facts that could hurt a person (does a permitted close wait for a key, what does the
end of a guarantee do, is an expiry obeyed, ...). Each of them is one field here, so that a plant can hold a
meter of every kind. The defaults are a State Grid meter with a built-in relay and a key.
Source: control-and-prepayment, "The ten facts", 1.3, 1.4 and 4.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

Payment = Literal["none", "remote", "local"]
"""Who disconnects it for want of money: nobody; a head-end, which keeps the money; itself, with a wallet."""
GuaranteeOn = Literal["closes", "permits", "cancels_trip"]
"""What the beginning of a power guarantee does to an open contact."""
PlainOrders = Literal["all", "closes", "none"]
"""Which orders a meter takes under a password alone: all control commands, and every parameter; or 1B and 1C,
and parameters that no security module guards; or none of the commands."""
Words = Literal["never", "asked", "always"]
"""When its verdicts on control are words of two octets. Otherwise an acceptance is empty, and a refusal one
octet, 04H whatever the cause. A head-end asks for words with P2 = 01 of an enciphered command."""
StatusWord = Literal["state_grid", "vendor", "inverted"]
"""How status word 3 shows the command: bit 6, 1 = open; or always 0 there and in bit 1 instead. The last one
is as the first, with the contact the wrong way round: 0 = open."""
CipherBlock = Literal["whole", "split"]
"""Cipher and MAC of an enciphered order turned round as one block; or each by itself, cipher first."""
GuaranteeOff = Literal["nothing", "opens"]
"""What the end of a power guarantee does to the contact."""
CloseNumbers = Literal["permit_direct", "direct_permit"]
"""What 0 and 1 of method 130 of DL/T 698.45 mean, in this order."""
CommandBits = Literal["first", "last", "command_code"]
"""How 8000 attribute 5 of DL/T 698.45 shows the command of relay 1: as 80H, as 01H, or as the code of the
last command with its highest bit set."""
BitOrder = Literal["msb_first", "number"]
"""How 2014 of DL/T 698.45 sends a status word: bit 0 first, or as a number, highest octet first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostControl:
    """What a meter's relay and wallet are like.

    Args:
        has_relay: it has a relay; without one it refuses every command.
        payment: who disconnects it for want of money; ``local`` only with a relay.
        has_key: a permitted close waits for a press of the key; without one it closes at once.
        guarantee_on: what a power guarantee does to an open contact; every kind drops a trip that waits.
        guarantee_off: what its end does to the contact.
        trip_under_guarantee: ``"refuses"``; or ``"drops"``: it says that it obeyed, and does nothing.
        permits_local: it takes a permit-close also when it tripped by its own wallet; otherwise it says
            that it obeyed, and does nothing.
        plain_orders: what it takes under a password alone.
        checks_expiry: it refuses a command whose time is over by its own clock.
        obeys_everybody: it obeys control commands that go to all meters, which nobody may send.
        alarm_is_breaker: it takes the alarm commands for off and on of a breaker.
        only_answers: it says that it obeyed, and does nothing: a relay that is stuck, or no relay.
        keeps_records: it counts and records its trips and closings.
        status_word: how it shows command and contact.
        close_numbers: what the numbers of a closing mean.
        command_bits: how it shows the command beside the status word.
        bit_order: how it sends its status words.
        words: when it gives verdicts of two octets.
        cipher_block: how it wants cipher and MAC of an enciphered order of DL/T 645 to stand on the wire.

    Raises:
        ValueError: a wallet without a relay.

    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}  # of one in a file

    has_relay: bool = True
    payment: Payment = "remote"
    has_key: bool = True
    guarantee_on: GuaranteeOn = "permits"
    guarantee_off: GuaranteeOff = "nothing"
    trip_under_guarantee: Literal["refuses", "drops"] = "refuses"
    permits_local: bool = True
    plain_orders: PlainOrders = "closes"
    checks_expiry: bool = True
    obeys_everybody: bool = False
    alarm_is_breaker: bool = False
    only_answers: bool = False
    keeps_records: bool = True
    status_word: StatusWord = "state_grid"
    close_numbers: CloseNumbers = "permit_direct"
    command_bits: CommandBits = "first"
    bit_order: BitOrder = "msb_first"
    words: Words = "asked"
    cipher_block: CipherBlock = "whole"

    def __post_init__(self) -> None:
        """Check that the parts fit together."""
        if self.payment == "local" and not self.has_relay:
            raise ValueError("a meter with a wallet has a relay: it disconnects itself")


PLAIN: Final = CostControl(payment="none", plain_orders="all")
"""A meter of which nobody said more: it has a relay, and takes every order under a password."""
REMOTE: Final = CostControl(payment="remote")
LOCAL: Final = CostControl(payment="local")
