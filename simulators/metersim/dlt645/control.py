"""Control (1CH) from the meter's side: who may order what, until when, and in which words it is answered.

In plain: level, password and expiry. Enciphered: an identity authentication, cipher and MAC, and expiry. What
is left is an order to the switch. A command is obeyed as often as it comes: a repeat after a lost answer is
obeyed again, as real meters do.
Source: DL/T 645-2007, annex; control-and-prepayment, 1.1 to 1.4.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from metersim.dlt645.passwords import Passwords
from metersim.security.failures import Cause as Unproven
from metersim.security.failures import NotAccepted
from metersim.security.identity import Identity645
from metersim.works.moments import PLANT_TIME
from metersim.works.switch import Cause, Command, Execution, Kind, Obeyed, Refusal
from metersim.works.works import Works
from meterwire.dlt645 import AbnormalReply
from meterwire.dlt645.items.bit_words import bit_words
from meterwire.dlt645.link.functions import CONTROL
from meterwire.dlt645.messages.command import Acknowledgement
from meterwire.dlt645.messages.control import ControlRequest, SealedControlRequest
from meterwire.errors import LocalProtocolError

KINDS: Final[dict[int, Kind]] = {
    0x1A: "trip",
    0x1B: "permit_close",
    0x1C: "direct_close",
    0x1D: "trip_auto_direct_close",
    0x1E: "trip_auto_permit_close",
    0x2A: "alarm_on",
    0x2B: "alarm_off",
    0x3A: "guarantee_on",
    0x3B: "guarantee_off",
}
"""What N1 orders."""
PLAIN_LEVELS: Final = frozenset({2, 4})
"""Password levels that may order and write in plain. Source: control-and-prepayment, 1.3."""
DURATION_UNIT: Final = timedelta(minutes=5)
"""Of N2."""
WORDS_ASKED: Final = "01"
"""P2 of an enciphered command that asks for words of two octets."""
_CIPHER_OCTETS: Final = 16
ONE_OCTET: Final = b"\x04"
"""What a meter without words says to every command that it refuses."""

_CAUSES: Final[dict[Unproven, Cause]] = {
    Unproven.SUSPENDED: "meter_suspended",
    Unproven.NOT_AUTHENTICATED: "identity_auth_failed",
    Unproven.WRONG_PROOF: "identity_auth_failed",
    Unproven.WRONG_MAC: "mac_error",
    Unproven.OLD_COUNTER: "identity_auth_failed",
    Unproven.OUT_OF_RANGE: "password_or_unauthorised",
}
_PERMITTED_IN_PLAIN = frozenset({"permit_close", "direct_close"})


class ControlDesk:
    """Where the control commands of one meter are taken.

    Args:
        address: the meter's own.
        works: its clock and its switch.
        passwords: its passwords.
        identity: the identity authentication of its security module.
        cipher_level: password level under which a command is enciphered; ``None``: it knows none.

    """

    def __init__(
        self,
        address: str,
        works: Works,
        *,
        passwords: Passwords,
        identity: Callable[[], Identity645],
        cipher_level: int | None,
    ) -> None:
        self._address = address
        self._works = works
        self._passwords = passwords
        self._identity = identity
        self._cipher_level = cipher_level

    def answer(
        self, request: ControlRequest | SealedControlRequest, at: datetime
    ) -> Acknowledgement | AbnormalReply:
        """Take a command.

        Args:
            request: a command to this meter.
            at: true time.

        """
        shown = self._works.clock.shows(at)
        if isinstance(request, ControlRequest):
            return self._verdict(self._plain(request, at, shown), words_asked=False)
        verdict = self._sealed(request, at, shown)
        return self._verdict(verdict, words_asked=request.password.startswith(WORDS_ASKED))

    def unreadable(self) -> AbnormalReply:
        """The answer to a command whose data does not fit."""
        refusal = self._works.switch.refuse("password_or_unauthorised")
        answer = self._verdict(refusal, words_asked=False)
        assert isinstance(answer, AbnormalReply), "a refusal is answered by one"
        return answer

    def _plain(self, request: ControlRequest, at: datetime, shown: datetime) -> Obeyed | Refusal:
        switch = self._works.switch
        allowed = request.level in PLAIN_LEVELS
        if not allowed or not self._passwords.check(request.level, request.password, shown):
            return switch.refuse("password_or_unauthorised")
        orders = switch.character.plain_orders
        if orders == "none" or (orders == "closes" and KINDS.get(request.command) not in _PERMITTED_IN_PLAIN):
            return switch.refuse("password_or_unauthorised")
        expires = request.expires[::-1].hex()
        return self._order((request.command, request.duration, expires), request.operator_code, at, shown)

    def _sealed(self, request: SealedControlRequest, at: datetime, shown: datetime) -> Obeyed | Refusal:
        switch = self._works.switch
        if request.level != self._cipher_level:
            return switch.refuse("password_or_unauthorised")
        try:
            block = bytes.fromhex(request.cipher + request.mac)
            if switch.character.cipher_block == "split":
                block = block[-_CIPHER_OCTETS:] + block[:-_CIPHER_OCTETS]
            plain = self._identity().open_control(block, shown)
        except NotAccepted as refused:
            return switch.refuse(_CAUSES[refused.cause])
        return self._order((plain.n1, plain.n2, plain.expires.hex()), request.operator_code, at, shown)

    def _order(
        self, inside: tuple[int, int, str], operator: str, at: datetime, shown: datetime
    ) -> Obeyed | Refusal:
        """What is left of both: N1, N2 and an expiry, year first."""
        n1, n2, expires = inside
        switch = self._works.switch
        if not switch.character.has_relay or (kind := KINDS.get(n1)) is None:
            return switch.refuse("password_or_unauthorised")
        if switch.character.checks_expiry and not _holds(expires, shown):
            return switch.refuse("command_expired")
        timed = kind.startswith("trip_auto")
        command = Command(
            kind=kind,
            delay=switch.trip_delay if kind == "trip" else timedelta(),
            reclose_after=n2 * DURATION_UNIT if timed else None,
            operator=operator,
            came_by="645",
        )
        return switch.obey(command, at)

    def _verdict(self, verdict: Obeyed | Refusal, *, words_asked: bool) -> Acknowledgement | AbnormalReply:
        words = self._works.switch.character.words
        in_words = words == "always" or (words == "asked" and words_asked)
        if isinstance(verdict, Obeyed):
            word = word_octets("execution", verdict.execution) if in_words else b""
            return Acknowledgement(address=self._address, function=CONTROL, execution_word=word)
        error = word_octets("control_error", verdict.cause) if in_words else ONE_OCTET
        return AbnormalReply(address=self._address, function=CONTROL, error_word=error)


def word_octets(word: str, bit: Execution | Cause | str) -> bytes:
    """A word of two octets with one bit set, lowest octet first.

    Args:
        word: name of the word.
        bit: name of the bit.

    Raises:
        LocalProtocolError: the word has no such bit.

    """
    place = next((one.place for one in bit_words()[word] if one.name == bit), None)
    if place is None:
        raise LocalProtocolError(f"the word {word} has no bit {bit}")
    return (1 << place).to_bytes(2, "little")


def _holds(expires: str, shown: datetime) -> bool:
    """Whether YYMMDDhhmmss is a time, and not before what the clock shows."""
    try:
        until = datetime.strptime(f"20{expires}", "%Y%m%d%H%M%S").replace(tzinfo=PLANT_TIME)
    except ValueError:
        return False
    return shown <= until
