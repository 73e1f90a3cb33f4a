"""A meter's security module takes what the provider makes, and nothing that was changed, old or replayed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from metersim.security.association import LIMIT_MINUTES, LIMIT_MINUTES_MAX
from metersim.security.failures import SUSPEND_AT_MAX, Cause, FailureLimits, NotAccepted
from metersim.security.identity import VALIDITY
from metersim.security.module import LabModule
from metersim.security.provider import Envelope, LabProvider, Trouble, Wallet645, Wallet698
from metersim.security.suite645 import ControlPlain
from metersim.security.suite698 import SID, Level, Sealed
from tests.support.lab_meter import CUSTOMER, DIVERSIFIER, EXPIRES, METER, MINUTE, SERIAL, SHOWN, lab_module

APDU = bytes.fromhex("070105800081000101020451f2050201110012000003000107ea0b160f1e00010005")
MINUTES_30 = bytes.fromhex("0030")


def _provider(seed: int = 9) -> LabProvider:
    return LabProvider(random.Random(seed).randbytes)


def _authenticated(provider: LabProvider, module: LabModule) -> tuple[str, bytes]:
    begun = provider.auth645(DIVERSIFIER)
    rand2, serial = module.identity.authenticate(begun.cipher1, begun.rand1, DIVERSIFIER, SHOWN)
    assert SERIAL == serial.hex()
    return begun.ctx, rand2


def _associated(
    provider: LabProvider, module: LabModule, *, counter: int = 1, div: bytes = DIVERSIFIER
) -> str:
    begun = provider.init698(0, div, counter)
    data, sign = module.association.connect(begun.cipher1, begun.sign1, SHOWN)
    return provider.verify698(0, div, begun.r1, data=data, sign=sign)


@contextmanager
def _refused(cause: Cause) -> Iterator[None]:
    with pytest.raises(NotAccepted) as caught:
        yield
    assert cause is caught.value.cause


def _bent(octets: bytes) -> bytes:
    return octets[:-1] + bytes((octets[-1] ^ 1,))


# --- DL/T 645 ---


def test_orders_of_645_come_through() -> None:
    """Control, parameters in plain and in cipher, money, and what is read back."""
    provider, module = _provider(), lab_module()
    ctx, rand2 = _authenticated(provider, module)
    block = provider.control645(ctx, rand2, n1=0x1A, n2=0, expiry=EXPIRES)
    plain = module.identity.open_control(block, SHOWN)
    assert ControlPlain(0x1A, 0, bytes.fromhex("261122153000")) == plain
    limit, di = bytes.fromhex("00005000"), bytes.fromhex("04001003")
    module.identity.check_parameter(limit, provider.param_mac645(ctx, rand2, limit), SHOWN)
    assert (di, limit) == module.identity.open_parameter(*provider.param_enc645(ctx, rand2, di, limit), SHOWN)
    mac1, mac2 = provider.wallet645(
        ctx, rand2, kind=Wallet645.TOP_UP, amount=10_000, count=5, customer=CUSTOMER
    )
    module.identity.check_money(10_000, 5, mac1, SHOWN)
    module.identity.check_customer(CUSTOMER, mac2, SHOWN)
    macs = provider.wallet645(
        ctx, rand2, kind=Wallet645.INITIALISE, amount=10_000, count=0, customer=CUSTOMER
    )
    module.identity.check_preset(10_000, 0, macs, SHOWN)
    mac = module.identity.answer_mac(b"\x01", b"money", SHOWN)
    provider.verify645(ctx, rand2, apdu=b"\x01", data=b"money", mac=mac)
    with pytest.raises(Trouble, match="the proof is wrong"):
        provider.verify645(ctx, rand2, apdu=b"\x02", data=b"money", mac=mac)
    assert 0 == module.failures.total


def test_orders_of_645_with_one_bit_changed_are_refused_and_counted() -> None:
    """Each order is under its MAC: a wrong one does nothing but count."""
    provider = _provider()
    limit, di = bytes.fromhex("00005000"), bytes.fromhex("04001003")
    seen = set()
    for order in range(6):
        module = lab_module()
        ctx, rand2 = _authenticated(provider, module)
        block = provider.control645(ctx, rand2, n1=0x1A, n2=0, expiry=EXPIRES)
        ciphered, mac = provider.param_enc645(ctx, rand2, di, limit)
        macs = provider.wallet645(
            ctx, rand2, kind=Wallet645.TOP_UP, amount=10_000, count=5, customer=CUSTOMER
        )
        preset = provider.wallet645(
            ctx, rand2, kind=Wallet645.INITIALISE, amount=1, count=0, customer=CUSTOMER
        )
        bent = _bent(provider.param_mac645(ctx, rand2, limit))
        wrong: list[Callable[[], object]] = [
            lambda: module.identity.open_control(_bent(block), SHOWN),  # noqa: B023 - called at once
            lambda: module.identity.check_parameter(limit, bent, SHOWN),  # noqa: B023
            lambda: module.identity.open_parameter(_bent(ciphered), mac, SHOWN),  # noqa: B023
            lambda: module.identity.check_money(10_001, 5, macs[0], SHOWN),  # noqa: B023
            lambda: module.identity.check_customer("000012345679", macs[1], SHOWN),  # noqa: B023
            lambda: module.identity.check_preset(2, 0, preset, SHOWN),  # noqa: B023
        ]
        with _refused(Cause.WRONG_MAC):
            wrong[order]()
        seen.add(module.failures.total)
        assert module.identity.valid(SHOWN)
    assert {1} == seen


def test_an_authentication_needs_the_key_and_the_meter() -> None:
    """Who has not the key, or means another meter, gets no random number to work with."""
    provider, module = _provider(), lab_module()
    begun = provider.auth645(DIVERSIFIER)
    with _refused(Cause.WRONG_PROOF):
        module.identity.authenticate(_bent(begun.cipher1), begun.rand1, DIVERSIFIER, SHOWN)
    other = bytes.fromhex("0000202611220002")
    proof = provider.auth645(other)
    with _refused(Cause.WRONG_PROOF):
        module.identity.authenticate(proof.cipher1, proof.rand1, other, SHOWN)
    assert (1, False) == (module.failures.total, module.identity.valid(SHOWN))


def test_an_authentication_ends() -> None:
    """After its minutes by the meter's clock, when that is set back before it, and when it is ended."""
    provider, module = _provider(), lab_module()
    ctx, rand2 = _authenticated(provider, module)
    block = provider.control645(ctx, rand2, n1=0x1A, n2=0, expiry=EXPIRES)
    assert module.identity.valid(SHOWN + VALIDITY - MINUTE / 60)
    for shown in (SHOWN + VALIDITY, SHOWN - MINUTE / 60):
        with _refused(Cause.NOT_AUTHENTICATED):
            module.identity.open_control(block, shown)
    module.identity.end()
    with _refused(Cause.NOT_AUTHENTICATED):
        module.identity.open_control(block, SHOWN)
    assert 0 == module.failures.total


def test_validity_is_set_under_a_mac() -> None:
    """Thirty minutes hold for thirty; none, and what is no number, are refused."""
    provider, module = _provider(), lab_module()
    ctx, rand2 = _authenticated(provider, module)
    module.identity.set_validity(MINUTES_30, provider.param_mac645(ctx, rand2, MINUTES_30), SHOWN)
    assert module.identity.valid(SHOWN + 29 * MINUTE)
    assert not module.identity.valid(SHOWN + 30 * MINUTE)
    for minutes in (bytes(2), b"\x0a\x00"):
        mac = provider.param_mac645(ctx, rand2, minutes)
        with _refused(Cause.OUT_OF_RANGE):
            module.identity.set_validity(minutes, mac, SHOWN)


def test_an_order_is_for_one_authentication() -> None:
    """A control that was recorded must do nothing after the next authentication: its number is another."""
    provider, module = _provider(), lab_module()
    ctx, rand2 = _authenticated(provider, module)
    block = provider.control645(ctx, rand2, n1=0x1A, n2=0, expiry=EXPIRES)
    _, other = _authenticated(provider, module)
    assert other != rand2
    with _refused(Cause.WRONG_MAC):
        module.identity.open_control(block, SHOWN)


def test_a_handheld_proves_itself_once() -> None:
    """The infrared authentication: the meter shows that it has the key, then the handheld does, once."""
    provider, module = _provider(), lab_module()
    begun = provider.auth645(DIVERSIFIER)
    cipher, rand2 = module.identity.infrared_query(begun.rand1)
    assert begun.cipher1 == cipher
    answer, _ = lab_module().identity.infrared_query(rand2)
    module.identity.infrared_prove(answer, SHOWN)
    with _refused(Cause.NOT_AUTHENTICATED):
        module.identity.infrared_prove(answer, SHOWN)
    module.identity.infrared_query(begun.rand1)
    with _refused(Cause.WRONG_PROOF):
        module.identity.infrared_prove(answer, SHOWN)


# --- DL/T 698.45 ---


@pytest.mark.parametrize("level", Level)
def test_envelopes_come_through_both_ways(level: Level) -> None:
    """Request and answer at each level, as provider and meter wrap and open them."""
    provider, module = _provider(), lab_module()
    session = _associated(provider, module)
    envelope = provider.protect698(session, level, APDU)
    assert (SID.to_bytes(4, "big"), 2) == (envelope.sid, len(envelope.additional))
    assert APDU == _opened(module, level, envelope)
    said = module.association.seal_answer(level, b"answer")
    assert b"answer" == provider.open698(session, level, *said)
    if level is not Level.CIPHER:
        with pytest.raises(Trouble, match="the proof is wrong"):
            provider.open698(session, level, said.data, _bent(said.mac or b""))


def _opened(module: LabModule, level: Level, envelope: Envelope) -> bytes:
    sid = int.from_bytes(envelope.sid, "big")
    sealed = Sealed(envelope.data, envelope.mac)
    return module.association.open_request(level, sid, envelope.additional, sealed=sealed, shown=SHOWN)


def test_envelopes_with_one_bit_changed_are_refused_and_counted() -> None:
    """Data, MAC, identifier, and length: whatever was changed, the envelope stays closed."""
    provider, module = _provider(), lab_module()
    session = _associated(provider, module)
    whole = provider.protect698(session, Level.CIPHER_MAC, APDU)
    changed = [
        whole._replace(data=_bent(whole.data)),
        whole._replace(mac=_bent(whole.mac or b"")),
        whole._replace(sid=_bent(whole.sid)),
        whole._replace(additional=_bent(whole.additional)),
    ]
    for number, envelope in enumerate(changed, 1):
        if not module.association.valid(SHOWN):
            session = _associated(provider, module, counter=number)
        again = envelope if number < 4 else provider.protect698(session, Level.CIPHER_MAC, APDU)
        bent = again._replace(additional=_bent(again.additional)) if number == 4 else again
        with _refused(Cause.WRONG_MAC):
            _opened(module, Level.CIPHER_MAC, bent)
        assert number == module.failures.total


def test_session_counters_have_to_grow() -> None:
    """A CONNECT that was recorded opens nothing, neither the same nor an older one."""
    provider, module = _provider(), lab_module()
    old, new = provider.init698(0, DIVERSIFIER, 14), provider.init698(0, DIVERSIFIER, 15)
    module.association.connect(new.cipher1, new.sign1, SHOWN)
    assert 15 == module.association.counter
    for begun in (new, old):
        with _refused(Cause.OLD_COUNTER):
            module.association.connect(begun.cipher1, begun.sign1, SHOWN)
    assert (15, False) == (module.association.counter, module.association.valid(SHOWN))


def test_a_wrong_connect_opens_nothing_and_counts() -> None:
    """A changed signature, and a CONNECT for another meter."""
    provider, module = _provider(), lab_module()
    begun = provider.init698(0, DIVERSIFIER, 1)
    with _refused(Cause.WRONG_MAC):
        module.association.connect(begun.cipher1, _bent(begun.sign1), SHOWN)
    other = provider.init698(0, bytes.fromhex("0000202611220002"), 1)
    with _refused(Cause.WRONG_MAC):
        module.association.connect(other.cipher1, other.sign1, SHOWN)
    assert (2, 0) == (module.failures.total, module.association.counter)


def test_the_serial_makes_keys_too() -> None:
    """Head-ends take the serial for the diversifier of meters with test keys, which is what these have."""
    provider, module = _provider(), lab_module()
    session = _associated(provider, module, div=bytes.fromhex(SERIAL))
    assert APDU == _opened(module, Level.CIPHER_MAC, provider.protect698(session, Level.CIPHER_MAC, APDU))


def test_an_association_ends() -> None:
    """After its minutes by the meter's clock, when that is set back before it, and when it is ended."""
    provider, module = _provider(), lab_module()
    session = _associated(provider, module)
    left = module.association.left(SHOWN + MINUTE)
    assert (LIMIT_MINUTES - 1) * MINUTE == left
    assert not module.association.valid(SHOWN + LIMIT_MINUTES * MINUTE)
    assert not module.association.valid(SHOWN - MINUTE)
    module.association.set_limit(LIMIT_MINUTES_MAX)
    assert module.association.valid(SHOWN + (LIMIT_MINUTES_MAX - 1) * MINUTE)
    for minutes in (0, LIMIT_MINUTES_MAX + 1):
        with _refused(Cause.OUT_OF_RANGE):
            module.association.set_limit(minutes)
    module.association.end()
    envelope = provider.protect698(session, Level.CIPHER_MAC, APDU)
    with _refused(Cause.NOT_AUTHENTICATED):
        _opened(module, Level.CIPHER_MAC, envelope)


def test_reads_with_a_random_number_need_no_association() -> None:
    """The daily read: the meter proves its answer for one number of ours, and for no other."""
    provider, module = _provider(), lab_module()
    rn = provider.rand698()
    mac = module.association.read_mac(rn, b"answer")
    provider.verify_read698(METER, rn, data=b"answer", mac=mac)
    for meter, number, data in (
        (METER, _bent(rn), b"answer"),
        (METER, rn, b"answeR"),
        ("202611220002", rn, b"answer"),
    ):
        with pytest.raises(Trouble, match="the proof is wrong"):
            provider.verify_read698(meter, number, data=data, mac=mac)
    with _refused(Cause.OUT_OF_RANGE):
        module.association.read_mac(rn[:-1], b"answer")


def test_money_of_698_is_proved() -> None:
    """Top-up and initialisation come through; another amount does not."""
    provider, module = _provider(), lab_module()
    session = _associated(provider, module)
    purse = provider.purse698(session, kind=Wallet698.TOP_UP, amount=10_000, count=5, customer=CUSTOMER)
    assert "0012" == purse.additional.hex()
    module.association.check_purse(10_000, 5, CUSTOMER, mac=purse.mac, shown=SHOWN)
    with _refused(Cause.WRONG_MAC):
        module.association.check_purse(10_001, 5, CUSTOMER, mac=purse.mac, shown=SHOWN)
    preset = provider.purse698(session, kind=Wallet698.INITIALISE, amount=7, count=0, customer=CUSTOMER)
    assert "0008" == preset.additional.hex()
    module.association.check_preset(7, mac=preset.mac, shown=SHOWN)
    with _refused(Cause.WRONG_MAC):
        module.association.check_preset(8, mac=preset.mac, shown=SHOWN)


# --- failures ---


def test_every_third_wrong_mac_ends_the_session() -> None:
    """Guessing goes slowly: each three guesses cost a new authentication."""
    provider, module = _provider(), lab_module()
    _authenticated(provider, module)
    session = _associated(provider, module)
    bent = provider.protect698(session, Level.CIPHER_MAC, APDU)._replace(mac=bytes(4))
    for _ in range(3):
        assert module.association.valid(SHOWN)
        with _refused(Cause.WRONG_MAC):
            _opened(module, Level.CIPHER_MAC, bent)
    assert not module.association.valid(SHOWN)
    assert module.identity.valid(SHOWN)


def test_too_many_wrong_macs_suspend_the_module_for_a_while() -> None:
    """At the limit nothing is taken, not even what is right, until the window has moved on."""
    provider, module = _provider(), lab_module(limits=FailureLimits(suspend_at=4, reauthenticate_every=9))
    ctx, rand2 = _authenticated(provider, module)
    block = provider.control645(ctx, rand2, n1=0x1A, n2=0, expiry=EXPIRES)
    for number in range(4):
        with _refused(Cause.WRONG_MAC):
            module.identity.open_control(bytes(20), SHOWN + number * MINUTE)
    with _refused(Cause.SUSPENDED):
        module.identity.open_control(block, SHOWN + 4 * MINUTE)
    begun, proof = provider.init698(0, DIVERSIFIER, 1), provider.auth645(DIVERSIFIER)
    late = SHOWN + 59 * MINUTE
    with _refused(Cause.SUSPENDED):
        module.association.connect(begun.cipher1, begun.sign1, late)
    with _refused(Cause.SUSPENDED):
        module.identity.authenticate(proof.cipher1, proof.rand1, DIVERSIFIER, late)
    module.association.connect(begun.cipher1, begun.sign1, SHOWN + 60 * MINUTE)
    assert 4 == module.failures.total


def test_limits_of_failures_have_ranges() -> None:
    """A module that is never suspended, or always, is told when it is made."""
    FailureLimits(suspend_at=SUSPEND_AT_MAX)
    for every, suspend_at in ((3, 0), (3, SUSPEND_AT_MAX + 1), (0, 15)):
        with pytest.raises(ValueError, match="1 or more"):
            FailureLimits(reauthenticate_every=every, suspend_at=suspend_at)


# --- the module ---


def test_the_same_seed_gives_the_same_module() -> None:
    """A plant that is run again has to give the same octets."""
    provider = _provider()
    begun = provider.auth645(DIVERSIFIER)

    def first(seed: int) -> tuple[bytes, bytes]:
        module = LabModule(METER, seed=seed)
        return module.identity.authenticate(begun.cipher1, begun.rand1, DIVERSIFIER, SHOWN)

    assert first(1) == first(1)
    assert first(1) != first(2)


@pytest.mark.parametrize("serial", ["51", "510100000000000100", "no serial at all"])
def test_serials_have_eight_octets(serial: str) -> None:
    """A serial of another length would make a wrong answer to a CONNECT."""
    with pytest.raises(ValueError, match="16 hexadecimal digits"):
        LabModule(METER, seed=1, serial=serial)


def test_nothing_secret_shows() -> None:
    """What stands in a trace or a failing test must not hold keys, proofs or random numbers."""
    provider, module = _provider(), lab_module()
    ctx, _ = _authenticated(provider, module)
    session = _associated(provider, module)
    shown = " ".join(map(repr, (provider, module, module.identity, module.association, module.failures)))
    assert "LabProvider(2 open) LabModule(serial=5101000000000001) Identity645(<hidden>)" in shown
    assert "Association698(<hidden>)" in shown
    assert not any(secret in shown for secret in (ctx, session))
