"""The head-end's side of the suite: what an encryption machine does, one method an operation.

What belongs to one authentication or association is kept here under a handle that nobody can guess; key
and random numbers stay inside. Nothing is stored: after a restart every handle is unknown.
Source: spec sections 7.1 and 7.2 of control and prepayment.
"""

from __future__ import annotations

import enum
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import Final, NamedTuple, TypeVar

from metersim.security import suite645, suite698
from metersim.security.keys import LAB_ROOT, LabKeys, diversifier_of
from metersim.security.sm4 import NotSealed, check_mac
from metersim.security.suite645 import ControlPlain
from metersim.security.suite698 import Level, Sealed, SessionKey

OPEN_MAX: Final = 1024
"""Authentications and associations that are kept; with one more the one not used for longest is forgotten."""
HANDLE_OCTETS: Final = 16
TEST_KEYS: Final = 0

RandomOctets = Callable[[int], bytes]


class Trouble(Exception):
    """An operation that cannot be done; its words hold nothing that was asked with.

    Args:
        code: for programs.
        what: is wrong, for people.
        do: what to do about it.

    """

    def __init__(self, code: str, what: str, do: str) -> None:
        super().__init__(what)
        self.code = code
        self.what = what
        self.do = do


class Wallet645(enum.StrEnum):
    """What is done to a wallet in DL/T 645."""

    OPEN = "open"
    TOP_UP = "top_up"
    INITIALISE = "initialise"


class Wallet698(enum.StrEnum):
    """What is done to a wallet in DL/T 698.45."""

    OPEN = "open"
    TOP_UP = "top_up"
    REFUND = "refund"
    INITIALISE = "initialise"


class Context645(NamedTuple):
    """One identity authentication, begun."""

    keys: LabKeys


class Session698(NamedTuple):
    """One association, agreed."""

    key: SessionKey


class Begun645(NamedTuple):
    """What an identity authentication begins with."""

    ctx: str
    rand1: bytes
    cipher1: bytes


class Begun698(NamedTuple):
    """What a CONNECT begins with."""

    r1: bytes
    cipher1: bytes
    sign1: bytes


class Envelope(NamedTuple):
    """A request in its envelope; no MAC at level 3."""

    sid: bytes
    additional: bytes
    data: bytes
    mac: bytes | None


class Purse(NamedTuple):
    """What goes with money into a wallet operation."""

    sid: bytes
    additional: bytes
    mac: bytes


_Kept = TypeVar("_Kept", Context645, Session698)

_SID: Final = suite698.SID.to_bytes(4, "big")
_PURSE_OCTETS: Final = 14
_PRESET_OCTETS: Final = 4


class LabProvider:
    """The provider of one process.

    Args:
        random_octets: gives so many octets that nobody can guess.
        root: key of the suite.

    Raises:
        ValueError: the root is no key.
        SecurityUnavailable: this machine has no SM4.

    """

    def __init__(self, random_octets: RandomOctets, *, root: bytes = LAB_ROOT) -> None:
        LabKeys(bytes(8), root=root)  # a root of a wrong length and a machine without SM4 show at once
        self._random_octets = random_octets
        self._root = root
        self._kept: OrderedDict[str, Context645 | Session698] = OrderedDict()

    def __repr__(self) -> str:
        """How many handles it keeps."""
        return f"LabProvider({len(self._kept)} open)"

    @property
    def open(self) -> int:
        """Authentications and associations that are kept."""
        return len(self._kept)

    # --- DL/T 645 ---

    def auth645(self, div: bytes) -> Begun645:
        """Begin an identity authentication with the meter of a diversifier, 8 octets."""
        keys = LabKeys(div, root=self._root)
        rand1 = self._random_octets(suite645.RAND1_OCTETS)
        return Begun645(self._keep(Context645(keys)), rand1, suite645.cipher1(keys, rand1))

    def control645(self, ctx: str, rand2: bytes, *, n1: int, n2: int, expiry: datetime) -> bytes:
        """Cipher and MAC of a control, 20 octets.

        Args:
            ctx: handle.
            rand2: the meter's, 4 octets.
            n1: command, 0 to 255.
            n2: units of five minutes, 0 to 255.
            expiry: the meter's civil time.

        Raises:
            Trouble: the handle is unknown.

        """
        plain = ControlPlain(n1, n2, suite645.expires_octets(expiry))
        return suite645.control_block(self._context(ctx).keys, rand2, plain)

    def param_mac645(self, ctx: str, rand2: bytes, data: bytes) -> bytes:
        """MAC of a parameter in plain.

        Raises:
            Trouble: the handle is unknown.

        """
        return suite645.parameter_mac(self._context(ctx).keys, rand2, data)

    def param_enc645(self, ctx: str, rand2: bytes, di: bytes, data: bytes) -> tuple[bytes, bytes]:
        """Cipher and MAC of a parameter.

        Raises:
            Trouble: the handle is unknown.

        """
        return suite645.seal_parameter(self._context(ctx).keys, rand2, di, data)

    def wallet645(
        self, ctx: str, rand2: bytes, *, kind: Wallet645, amount: int, count: int, customer: str
    ) -> tuple[bytes, bytes]:
        """Both MACs of an order of money.

        Args:
            ctx: handle.
            rand2: the meter's, 4 octets.
            kind: of order.
            amount: in cents.
            count: purchases with this one.
            customer: 12 digits; an initialisation does not use it.

        Raises:
            Trouble: the handle is unknown.

        """
        keys = self._context(ctx).keys
        if kind is Wallet645.INITIALISE:
            return suite645.initial_macs(keys, rand2, amount_cents=amount, count=count)
        money = suite645.money_mac(keys, rand2, amount, count)
        return money, suite645.customer_mac(keys, rand2, customer)

    def verify645(self, ctx: str, rand2: bytes, *, apdu: bytes, data: bytes, mac: bytes) -> None:
        """Whether the meter's module gave out what was read.

        Args:
            ctx: handle.
            rand2: the meter's, 4 octets.
            apdu: what was asked for: the read flag of 078001FF, nothing for 078102FF.
            data: what was answered, highest octet first.
            mac: over it.

        Raises:
            Trouble: the handle is unknown, or the MAC wrong.

        """
        self._verified(suite645.answer_mac(self._context(ctx).keys, rand2, apdu, data), mac)

    # --- DL/T 698.45 ---

    def init698(self, key_state: int, div: bytes, counter: int) -> Begun698:
        """Ciphertext and signature of a CONNECT.

        Args:
            key_state: 0, test keys; the suite has no others.
            div: 8 octets.
            counter: greater than the meter's session counter.

        Raises:
            Trouble: other keys are asked for.

        """
        keys = self._keys(key_state, div)
        r1 = self._random_octets(suite698.RANDOM_OCTETS)
        return Begun698(r1, *suite698.connect_request(keys, r1, counter))

    def verify698(self, key_state: int, div: bytes, r1: bytes, *, data: bytes, sign: bytes) -> str:
        """The handle of the association that a meter has agreed to.

        Args:
            key_state: as in `init698`.
            div: as in `init698`.
            r1: of `init698`.
            data: session data of the meter.
            sign: its signature.

        Raises:
            Trouble: other keys are asked for, or the meter has not proved itself.

        """
        keys = self._keys(key_state, div)
        try:
            r2, _ = suite698.open_connect_answer(keys, r1, data, sign)
        except NotSealed:
            raise _not_verified() from None
        return self._keep(Session698(suite698.session_key(keys, r1, r2)))

    def protect698(self, session: str, level: Level, apdu: bytes) -> Envelope:
        """A request in its envelope.

        Raises:
            Trouble: the handle is unknown.

        """
        sealed = suite698.seal_request(self._session(session).key, level, apdu)
        return Envelope(_SID, suite698.additional_of(*sealed), *sealed)

    def open698(self, session: str, level: Level, data: bytes, mac: bytes | None) -> bytes:
        """The answer in an envelope.

        Raises:
            Trouble: the handle is unknown, or the answer was not made for it.

        """
        try:
            return suite698.open_answer(self._session(session).key, level, Sealed(data, mac))
        except NotSealed:
            raise _not_verified() from None

    def rand698(self) -> bytes:
        """A random number for a read that is proved by MAC, 16 octets."""
        return self._random_octets(suite698.RANDOM_OCTETS)

    def verify_read698(self, meter: str, rn: bytes, *, data: bytes, mac: bytes) -> None:
        """Whether a meter gave an answer for a random number.

        Args:
            meter: its number, 12 digits.
            rn: 16 octets.
            data: the answer's APDU.
            mac: over it.

        Raises:
            Trouble: the MAC is wrong.

        """
        keys = LabKeys(diversifier_of(meter), root=self._root)
        self._verified(suite698.read_mac(keys, rn, data), mac)

    def purse698(self, session: str, *, kind: Wallet698, amount: int, count: int, customer: str) -> Purse:
        """What proves an order of money.

        Args:
            session: handle.
            kind: of order.
            amount: in cents.
            count: purchases with this one; an initialisation does not use it.
            customer: 12 digits; an initialisation does not use it.

        Raises:
            Trouble: the handle is unknown.

        """
        key = self._session(session).key
        if kind is Wallet698.INITIALISE:
            octets, mac = _PRESET_OCTETS, suite698.preset_mac(key, amount)
        else:
            octets = _PURSE_OCTETS
            mac = suite698.purse_mac(key, amount_cents=amount, count=count, customer=customer)
        return Purse(_SID, suite698.additional_of(bytes(octets), mac), mac)

    # --- handles ---

    def close(self, handle: str) -> None:
        """Forget an authentication or association; an unknown one is forgotten already."""
        self._kept.pop(handle, None)

    def _keep(self, what: Context645 | Session698) -> str:
        handle = self._random_octets(HANDLE_OCTETS).hex().upper()
        self._kept[handle] = what
        if len(self._kept) > OPEN_MAX:
            self._kept.popitem(last=False)
        return handle

    def _context(self, handle: str) -> Context645:
        return self._found(handle, Context645, "auth645")

    def _session(self, handle: str) -> Session698:
        return self._found(handle, Session698, "init698 and verify698")

    def _found(self, handle: str, kind: type[_Kept], begun_by: str) -> _Kept:
        found = self._kept.get(handle)
        if not isinstance(found, kind):
            raise Trouble(
                "unknown_handle",
                "the handle is unknown: never given, closed, or forgotten for newer ones",
                f"begin anew with {begun_by}",
            )
        self._kept.move_to_end(handle)
        return found

    def _keys(self, key_state: int, div: bytes) -> LabKeys:
        if key_state != TEST_KEYS:
            raise Trouble(
                "no_production_keys",
                "this is a laboratory's provider: it has test keys only",
                "ask with key_state 0, or configure the provider of the site for this meter",
            )
        return LabKeys(div, root=self._root)

    def _verified(self, made: bytes, mac: bytes) -> None:
        try:
            check_mac(made, mac)
        except NotSealed:
            raise _not_verified() from None


def _not_verified() -> Trouble:
    return Trouble(
        "not_verified",
        "the proof is wrong: another meter, other keys, or changed on its way",
        "do not use the data; compare meter number and keys, and begin anew",
    )
