"""A meter's side of the security of DL/T 645: who is authenticated, and whether an order was made by them.

An authentication holds for some minutes by the meter's clock, and no longer than its power. Within it the
same random number protects every order, so that an order that comes twice is taken twice: what it does must
be the same both times.
Source: spec sections 1.3, 2 and 7.2 of control and prepayment.
"""

from __future__ import annotations

import hmac
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final

from metersim.security import suite645
from metersim.security.failures import Cause, Failures, NotAccepted
from metersim.security.keys import LabKeys
from metersim.security.sm4 import NotSealed, check_mac
from metersim.security.suite645 import RAND1_OCTETS, RAND2_OCTETS, ControlPlain

VALIDITY: Final = timedelta(minutes=5)
"""Of an authentication, until the head-end sets another. Source: spec section 2.2, note on 070001FF."""
VALIDITY_MINUTES_MAX: Final = 9999


class Identity645:
    """The identity authentication of one meter, and everything that stands on it.

    Args:
        keys: of the meter.
        serial: of the module, 8 octets.
        randomness: where its random numbers come from.
        failures: counts wrong MACs; of the whole module.

    """

    def __init__(
        self, keys: LabKeys, serial: bytes, *, randomness: random.Random, failures: Failures
    ) -> None:
        self._keys = keys
        self._serial = serial
        self._randomness = randomness
        self._failures = failures
        self._validity = VALIDITY
        self._rand2 = b""
        self._since: datetime | None = None
        self._infrared = b""

    def __repr__(self) -> str:
        """Nothing of its numbers."""
        return "Identity645(<hidden>)"

    def authenticate(
        self, cipher1: bytes, rand1: bytes, diversifier: bytes, shown: datetime
    ) -> tuple[bytes, bytes]:
        """Begin an authentication; gives rand2 and the serial of the module.

        Args:
            cipher1: 8 octets, the proof.
            rand1: 8 octets of the head-end.
            diversifier: 8 octets, has to be this meter's.
            shown: by the meter's clock.

        Raises:
            NotAccepted: suspended, or the proof is wrong.

        """
        self._refuse_suspended(shown)
        self.end()
        if diversifier != self._keys.diversifier or len(rand1) != RAND1_OCTETS:
            raise NotAccepted(Cause.WRONG_PROOF)
        if not hmac.compare_digest(suite645.cipher1(self._keys, rand1), cipher1):
            self._failures.add(shown)
            raise NotAccepted(Cause.WRONG_PROOF)
        self._rand2 = self._randomness.randbytes(RAND2_OCTETS)
        self._since = shown
        return self._rand2, self._serial

    def valid(self, shown: datetime) -> bool:
        """Whether somebody is authenticated; a clock that was set to before it began ends it, too."""
        return self._since is not None and timedelta() <= shown - self._since < self._validity

    def end(self) -> None:
        """Nobody is authenticated any more."""
        self._since, self._rand2 = None, b""

    def lose_power(self) -> None:
        """The numbers of an authentication, and those for a handheld, are in the memory that a cut clears."""
        self.end()
        self._infrared = b""

    def set_validity(self, minutes: bytes, mac: bytes, shown: datetime) -> None:
        """How long authentications hold from now on, this one too.

        Args:
            minutes: two octets of BCD.
            mac: over them.
            shown: by the meter's clock.

        Raises:
            NotAccepted: not authenticated, suspended, MAC wrong, or no minutes.

        """
        self.check_parameter(minutes, mac, shown)
        digits = minutes.hex()
        if not digits.isdecimal() or not 1 <= int(digits) <= VALIDITY_MINUTES_MAX:
            raise NotAccepted(Cause.OUT_OF_RANGE)
        self._validity = timedelta(minutes=int(digits))

    def open_control(self, block: bytes, shown: datetime) -> ControlPlain:
        """What is inside a control; whether it is still valid is the meter's affair.

        Args:
            block: 20 octets, cipher and MAC, highest first.
            shown: by the meter's clock.

        Raises:
            NotAccepted: not authenticated, suspended, or MAC wrong.

        """
        with self._proving(shown):
            return suite645.open_control(self._keys, self._rand2, block)

    def check_parameter(self, data: bytes, mac: bytes, shown: datetime) -> None:
        """Whether a parameter in plain was written by whom it should.

        Args:
            data: highest first.
            mac: over it.
            shown: by the meter's clock.

        Raises:
            NotAccepted: not authenticated, suspended, or MAC wrong.

        """
        with self._proving(shown):
            check_mac(suite645.parameter_mac(self._keys, self._rand2, data), mac)

    def open_parameter(self, ciphered: bytes, mac: bytes, shown: datetime) -> tuple[bytes, bytes]:
        """Identifier and data of a parameter in cipher.

        Raises:
            NotAccepted: not authenticated, suspended, or MAC wrong.

        """
        with self._proving(shown):
            return suite645.open_parameter(self._keys, self._rand2, ciphered, mac)

    def check_money(self, amount_cents: int, count: int, mac: bytes, shown: datetime) -> None:
        """The first MAC of a top-up or of opening an account.

        Args:
            amount_cents: 0 to 4,294,967,295.
            count: 0 to 4,294,967,295.
            mac: over both.
            shown: by the meter's clock.

        Raises:
            NotAccepted: not authenticated, suspended, or MAC wrong.

        """
        with self._proving(shown):
            check_mac(suite645.money_mac(self._keys, self._rand2, amount_cents, count), mac)

    def check_customer(self, customer: str, mac: bytes, shown: datetime) -> None:
        """The second MAC of a top-up or of opening an account.

        Args:
            customer: 12 digits.
            mac: over them.
            shown: by the meter's clock.

        Raises:
            NotAccepted: not authenticated, suspended, or MAC wrong.

        """
        with self._proving(shown):
            check_mac(suite645.customer_mac(self._keys, self._rand2, customer), mac)

    def check_preset(self, amount_cents: int, count: int, macs: tuple[bytes, bytes], shown: datetime) -> None:
        """Both MACs of setting the wallet up: over the amount, and over the count.

        Raises:
            NotAccepted: not authenticated, suspended, or MAC wrong.

        """
        made = suite645.initial_macs(self._keys, self._rand2, amount_cents=amount_cents, count=count)
        with self._proving(shown):
            check_mac(b"".join(made), b"".join(macs))

    def answer_mac(self, head: bytes, data: bytes, shown: datetime) -> bytes:
        """MAC of something that is read out of the module.

        Args:
            head: what was asked for, as `metersim.security.suite645.answer_mac` has it.
            data: the answer.
            shown: by the meter's clock.

        Raises:
            NotAccepted: not authenticated, or suspended.

        """
        self._refuse_strangers(shown)
        return suite645.answer_mac(self._keys, self._rand2, head, data)

    def infrared_query(self, rand1: bytes) -> tuple[bytes, bytes]:
        """Prove the meter to a handheld: the cipher of its number, and a number for it, 8 octets each."""
        self._infrared = self._randomness.randbytes(RAND1_OCTETS)
        return suite645.cipher1(self._keys, rand1), self._infrared

    def infrared_prove(self, cipher: bytes, shown: datetime) -> None:
        """Whether a handheld has the key; the number was good for one try.

        Raises:
            NotAccepted: nothing was asked before, suspended, or the proof is wrong.

        """
        self._refuse_suspended(shown)
        rand2, self._infrared = self._infrared, b""
        if not rand2:
            raise NotAccepted(Cause.NOT_AUTHENTICATED)
        if not hmac.compare_digest(suite645.cipher1(self._keys, rand2), cipher):
            self._failures.add(shown)
            raise NotAccepted(Cause.WRONG_PROOF)

    @contextmanager
    def _proving(self, shown: datetime) -> Iterator[None]:
        """Strangers out; a wrong MAC is counted, and ends the authentication when it was one too many."""
        self._refuse_strangers(shown)
        try:
            yield
        except NotSealed:
            if self._failures.add(shown):
                self.end()
            raise NotAccepted(Cause.WRONG_MAC) from None

    def _refuse_strangers(self, shown: datetime) -> None:
        self._refuse_suspended(shown)
        if not self.valid(shown):
            raise NotAccepted(Cause.NOT_AUTHENTICATED)

    def _refuse_suspended(self, shown: datetime) -> None:
        if self._failures.suspended(shown):
            raise NotAccepted(Cause.SUSPENDED)
