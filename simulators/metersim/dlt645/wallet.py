"""Security and wallet (03H) from the meter's side: identity authentication, purchases, what the module holds.

Every command but the identity authentication itself and the two of infrared needs a valid authentication.
Keys are not updated here: the keys of the lab suite follow from its root, and a head-end could not know
others. Source: control-and-prepayment, 2.1 and 2.2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from metersim.security.failures import Cause as Unproven
from metersim.security.failures import NotAccepted
from metersim.security.module import KEY_INFO, LabModule
from metersim.works.account import Cause, TopUpResult
from metersim.works.works import Works
from meterwire.dlt645 import AbnormalReply
from meterwire.dlt645.items import security
from meterwire.dlt645.items.bit_words import bit_words
from meterwire.dlt645.link.functions import SECURITY
from meterwire.dlt645.messages.control import SecurityReply, SecurityRequest

WALLET_FILE: Final = "0001"
"""The file of the module that can be read: four octets of money, four of the purchase count."""
DIRECTORIES: Final = frozenset({"3f00", "df01"})

_CAUSES: Final[dict[Unproven, str]] = {
    Unproven.SUSPENDED: "meter_suspended",
    Unproven.NOT_AUTHENTICATED: "identity_auth_failed",
    Unproven.WRONG_PROOF: "identity_auth_failed",
    Unproven.WRONG_MAC: "esam_verification_failed",
    Unproven.OLD_COUNTER: "identity_auth_failed",
    Unproven.OUT_OF_RANGE: "other",
}

_READ_FLAG: Final = ("read_directory", "read_file", "read_start", "read_length")
"""Highest octet first, as the MAC goes over it."""

Fields = Mapping[str, bytes]
"""The fields of a request by their names, highest octet first."""


class Refused(Exception):
    """A bit of SERR, by its name."""

    def __init__(self, bit: str) -> None:
        super().__init__(bit)
        self.bit = bit


class WalletDesk:
    """Where the security commands of one meter are taken.

    Args:
        address: the meter's own.
        works: its clock, its switch and its wallet.
        module: its security module.

    """

    def __init__(self, address: str, works: Works, *, module: Callable[[], LabModule]) -> None:
        self._address = address
        self._works = works
        self._module = module
        self._services: dict[int, Callable[[Fields, str, datetime], Mapping[str, int | str]]] = {
            0x070000FF: self._authenticate,
            0x070001FF: self._set_validity,
            0x070002FF: self._end,
            0x070003FF: self._infrared_prove,
            0x070101FF: self._open_account,
            0x070102FF: self._top_up,
            0x070103FF: self._initialise,
            0x078001FF: self._read_back,
            0x078003FF: self._infrared_query,
            0x078102FF: self._state,
        }

    def answer(self, request: SecurityRequest, at: datetime) -> SecurityReply | AbnormalReply:
        """Take a command.

        Args:
            request: a command to this meter.
            at: true time.

        """
        service = self._services.get(request.di)
        fields = _fields(request)
        if service is None or fields is None:
            return self.refused("other")
        try:
            values = service(fields, request.operator_code, at)
        except NotAccepted as refused:
            return self.refused(_CAUSES[refused.cause])
        except Refused as refused:
            return self.refused(refused.bit)
        payload = security.join(request.di, "reply", values) if values else b""
        return SecurityReply(address=self._address, di=request.di, payload=payload)

    def refused(self, bit: str) -> AbnormalReply:
        """A refusal with one bit of SERR."""
        place = next(one.place for one in bit_words()["serr"] if one.name == bit)
        word = (1 << place).to_bytes(2, "little")
        return AbnormalReply(address=self._address, function=SECURITY, error_word=word)

    def _shown(self, at: datetime) -> datetime:
        return self._works.clock.shows(at)

    def _authenticate(self, fields: Fields, _: str, at: datetime) -> Mapping[str, int | str]:
        rand2, serial = self._module().identity.authenticate(
            fields["cipher1"], fields["rand1"], fields["div"], self._shown(at)
        )
        return {"rand2": rand2.hex(), "esam_serial": serial.hex()}

    def _set_validity(self, fields: Fields, _: str, at: datetime) -> Mapping[str, int | str]:
        self._module().identity.set_validity(fields["minutes"], fields["mac"], self._shown(at))
        return {}

    def _end(self, _: Fields, __: str, at: datetime) -> Mapping[str, int | str]:
        self._need_authentication(at)
        self._module().identity.end()
        account = self._works.account
        return {
            "customer": account.customer_number if account else "0" * 12,
            "remaining_cents": account.remaining_cents(at) if account else 0,
            "purchase_count": account.purchase_count if account else 0,
            "key_info": KEY_INFO,
        }

    def _infrared_query(self, fields: Fields, _: str, __: datetime) -> Mapping[str, int | str]:
        cipher, rand2 = self._module().identity.infrared_query(fields["rand1"])
        return {
            "meter_number": self._works.plate.meter_number,
            "esam_serial": self._module().serial.hex(),
            "cipher1": cipher.hex(),
            "rand2": rand2.hex(),
        }

    def _infrared_prove(self, fields: Fields, _: str, at: datetime) -> Mapping[str, int | str]:
        self._module().identity.infrared_prove(fields["cipher2"], self._shown(at))
        return {}

    def _open_account(self, fields: Fields, operator: str, at: datetime) -> Mapping[str, int | str]:
        return self._purchase(fields, operator, at, opens=True)

    def _top_up(self, fields: Fields, operator: str, at: datetime) -> Mapping[str, int | str]:
        return self._purchase(fields, operator, at, opens=False)

    def _purchase(
        self, fields: Fields, operator: str, at: datetime, *, opens: bool
    ) -> Mapping[str, int | str]:
        self._need_authentication(at)
        if (account := self._works.account) is None:
            raise Refused("other")
        cents, count = _number(fields["amount_cents"]), _number(fields["purchase_count"])
        customer, mac1, mac2 = fields["customer"].hex(), fields["mac1"], fields["mac2"]
        identity, shown = self._module().identity, self._shown(at)
        take = account.open_account if opens else account.top_up
        result = take(
            cents,
            count,
            customer,
            at,
            operator=operator,
            customer_sealed=lambda: _proven(lambda: identity.check_customer(customer, mac2, shown)),
            amount_sealed=lambda: _proven(lambda: identity.check_money(cents, count, mac1, shown)),
        )
        return _done(result)

    def _initialise(self, fields: Fields, operator: str, at: datetime) -> Mapping[str, int | str]:
        self._need_authentication(at)
        if (account := self._works.account) is None:
            raise Refused("other")
        cents, count = _number(fields["preset_cents"]), _number(fields["purchase_count"])
        macs = fields["mac1"], fields["mac2"]
        identity, shown = self._module().identity, self._shown(at)
        result = account.initialise(
            cents,
            count,
            at,
            operator=operator,
            sealed=lambda: _proven(lambda: identity.check_preset(cents, count, macs, shown)),
        )
        return _done(result)

    def _read_back(self, fields: Fields, _: str, at: datetime) -> Mapping[str, int | str]:
        """What the module's file of the wallet holds; the read flag comes back with it."""
        self._need_authentication(at)
        flag = {name: fields[name] for name in _READ_FLAG}
        first, size = _number(flag["read_start"]), _number(flag["read_length"])
        file = self._wallet_file(at)
        known = flag["read_file"].hex() == WALLET_FILE and flag["read_directory"].hex() in DIRECTORIES
        if not known or not size or first + size > len(file):
            raise Refused("other")
        data = file[first : first + size]
        mac = self._module().identity.answer_mac(b"".join(flag.values()), data, self._shown(at))
        shown_flag = {name: octets.hex() for name, octets in flag.items()}
        return {**shown_flag, "esam_data": data.hex(), "mac": mac.hex()}

    def _state(self, _: Fields, __: str, at: datetime) -> Mapping[str, int | str]:
        self._need_authentication(at)
        file, shown = self._wallet_file(at), self._shown(at)
        account, identity = self._works.account, self._module().identity
        assert account is not None, "what has a file of a wallet has a wallet"
        return {
            "remaining_cents": _number(file[:4]),
            "mac1": identity.answer_mac(b"", file[:4], shown).hex(),
            "purchase_count": _number(file[4:]),
            "mac2": identity.answer_mac(b"", file[4:], shown).hex(),
            "customer": account.customer_number,
            "key_info": KEY_INFO,
        }

    def _wallet_file(self, at: datetime) -> bytes:
        if (account := self._works.account) is None:
            raise Refused("other")
        return account.remaining_cents(at).to_bytes(4, "big") + account.purchase_count.to_bytes(4, "big")

    def _need_authentication(self, at: datetime) -> None:
        shown = self._shown(at)
        if self._module().failures.suspended(shown):
            raise Refused("meter_suspended")
        if not self._module().identity.valid(shown):
            raise Refused("identity_auth_failed")


def _fields(request: SecurityRequest) -> Fields | None:
    """What a request carries; ``None``: it does not have the fields that meters here want."""
    fitting = security.split(request.di, "request", request.payload) if request.payload else ()
    wanted = {field.name for layout in security.layouts(request.di, "request")[:1] for field in layout}
    found = None if fitting is None else {one.field.name: one.raw[::-1] for one in fitting}
    return found if found is not None and found.keys() == wanted else None


def _proven(check: Callable[[], None]) -> bool:
    """Whether a seal is right; that nobody is authenticated stays a refusal of its own."""
    try:
        check()
    except NotAccepted as refused:
        if refused.cause is Unproven.WRONG_MAC:
            return False
        raise
    return True


def _done(result: TopUpResult) -> Mapping[str, int | str]:
    """Nothing to say.

    Raises:
        Refused: it was not done.

    """
    if result.cause is not None:
        cause: Cause = result.cause
        raise Refused(cause)
    return {}


def _number(octets: bytes) -> int:
    return int.from_bytes(octets, "big")
