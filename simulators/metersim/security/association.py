"""A meter's side of the security of DL/T 698.45: the association by CONNECT, envelopes, and money in them.

An association holds for some minutes by the meter's clock, and no longer than its power. Its counter has to
grow with each, so that a CONNECT that was recorded opens nothing later. An envelope has no counter, so that
one that comes twice is opened twice within its association. Reads with a random number need no association.
Source: spec sections 4.7, 5 and 7.2 of control and prepayment.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from metersim.security import suite698
from metersim.security.failures import Cause, Failures, NotAccepted
from metersim.security.keys import LabKeys
from metersim.security.sm4 import NotSealed, check_mac
from metersim.security.suite698 import RANDOM_OCTETS, SID, Level, Sealed, SessionKey

LIMIT_MINUTES: Final = 120
"""An association holds so long, until another limit is set (method 9 of F100)."""
LIMIT_MINUTES_MAX: Final = 43_200
"""Thirty days."""


class _Open(NamedTuple):
    """The association that is there."""

    key: SessionKey
    since: datetime


class Association698:
    """The associations of one meter, one at a time.

    Args:
        keys: that a CONNECT may be made with, most usual first; reads with a random number use the first.
        serial: of the module, 8 octets.
        randomness: where its random numbers come from.
        failures: counts wrong MACs; of the whole module.

    Attributes:
        counter: of the last CONNECT that was accepted.
        limit_minutes: how long an association holds.

    """

    def __init__(
        self,
        keys: tuple[LabKeys, ...],
        serial: bytes,
        *,
        randomness: random.Random,
        failures: Failures,
    ) -> None:
        self.counter = 0
        self.limit_minutes = LIMIT_MINUTES
        self._keys = keys
        self._serial = serial
        self._randomness = randomness
        self._failures = failures
        self._open: _Open | None = None
        self._answered: SessionKey | None = None

    def __repr__(self) -> str:
        """Nothing of its numbers."""
        return "Association698(<hidden>)"

    def connect(self, ciphertext: bytes, signature: bytes, shown: datetime) -> tuple[bytes, bytes]:
        """Begin an association; gives session data and signature of the meter.

        Args:
            ciphertext: 32 octets.
            signature: 4 octets.
            shown: by the meter's clock.

        Raises:
            NotAccepted: suspended, not made with these keys, or of an old counter.

        """
        self._refuse_suspended(shown)
        self.end()
        keys, r1, counter = self._opened(ciphertext, signature, shown)
        if counter <= self.counter:
            raise NotAccepted(Cause.OLD_COUNTER)
        self.counter = counter
        r2 = self._randomness.randbytes(RANDOM_OCTETS)
        self._open = _Open(suite698.session_key(keys, r1, r2), shown)
        return suite698.connect_answer(keys, r1, r2, self._serial)

    def valid(self, shown: datetime) -> bool:
        """Whether there is an association."""
        return self.left(shown) > timedelta()

    def left(self, shown: datetime) -> timedelta:
        """How long it will hold; nothing when there is none, or the clock was set to before it began."""
        limit = timedelta(minutes=self.limit_minutes)
        if self._open is None or shown < self._open.since:
            return timedelta()
        return max(limit - (shown - self._open.since), timedelta())

    def end(self) -> None:
        """There is no association any more."""
        self._open = None

    def set_limit(self, minutes: int) -> None:
        """How long associations hold from now on, this one too.

        Raises:
            NotAccepted: not 1 to 43,200.

        """
        if not 1 <= minutes <= LIMIT_MINUTES_MAX:
            raise NotAccepted(Cause.OUT_OF_RANGE)
        self.limit_minutes = minutes

    def open_request(
        self, level: Level, sid: int, additional: bytes, sealed: Sealed, shown: datetime
    ) -> bytes:
        """The APDU of an envelope.

        Args:
            level: how it is wrapped.
            sid: its identifier.
            additional: its additional data.
            sealed: data and MAC.
            shown: by the meter's clock.

        Raises:
            NotAccepted: no association, suspended, or not made for it.

        """
        with self._proving(shown) as key:
            if sid != SID or additional != suite698.additional_of(*sealed):
                raise NotSealed("an envelope of another suite")
            apdu = suite698.open_request(key, level, sealed)
        self._answered = key
        return apdu

    def seal_answer(self, level: Level, apdu: bytes) -> Sealed:
        """The answer to the request that was opened last, also when that has ended the association itself.

        Raises:
            NotAccepted: no request was opened.

        """
        if self._answered is None:
            raise NotAccepted(Cause.NOT_AUTHENTICATED)
        return suite698.seal_answer(self._answered, level, apdu)

    def read_mac(self, rn: bytes, apdu: bytes) -> bytes:
        """MAC of the answer to a read with a random number.

        Args:
            rn: 16 octets.
            apdu: the answer.

        Raises:
            NotAccepted: not 16 octets.

        """
        if len(rn) != RANDOM_OCTETS:
            raise NotAccepted(Cause.OUT_OF_RANGE)
        return suite698.read_mac(self._keys[0], rn, apdu)

    def check_purse(
        self, amount_cents: int, count: int, customer: str, *, mac: bytes, shown: datetime
    ) -> None:
        """The MAC of a wallet operation.

        Args:
            amount_cents: 0 to 4,294,967,295.
            count: 0 to 4,294,967,295.
            customer: 12 digits.
            mac: over all three.
            shown: by the meter's clock.

        Raises:
            NotAccepted: no association, suspended, or MAC wrong.

        """
        with self._proving(shown) as key:
            made = suite698.purse_mac(key, amount_cents=amount_cents, count=count, customer=customer)
            check_mac(made, mac)

    def check_preset(self, amount_cents: int, *, mac: bytes, shown: datetime) -> None:
        """The MAC of setting the wallet up.

        Raises:
            NotAccepted: no association, suspended, or MAC wrong.

        """
        with self._proving(shown) as key:
            check_mac(suite698.preset_mac(key, amount_cents), mac)

    def _opened(self, ciphertext: bytes, signature: bytes, shown: datetime) -> tuple[LabKeys, bytes, int]:
        for keys in self._keys:
            try:
                return keys, *suite698.open_connect_request(keys, ciphertext, signature)
            except NotSealed:
                continue
        self._failures.add(shown)
        raise NotAccepted(Cause.WRONG_MAC)

    def _key(self, shown: datetime) -> SessionKey:
        self._refuse_suspended(shown)
        if self._open is None or not self.valid(shown):
            raise NotAccepted(Cause.NOT_AUTHENTICATED)
        return self._open.key

    @contextmanager
    def _proving(self, shown: datetime) -> Iterator[SessionKey]:
        """Strangers out; a wrong MAC is counted, and ends the association when it was one too many."""
        key = self._key(shown)
        try:
            yield key
        except NotSealed:
            if self._failures.add(shown):
                self.end()
            raise NotAccepted(Cause.WRONG_MAC) from None

    def _refuse_suspended(self, shown: datetime) -> None:
        if self._failures.suspended(shown):
            raise NotAccepted(Cause.SUSPENDED)
