"""Every identifier, asked of every kind of meter of DL/T 645: an answer or a refusal, never silence."""

from __future__ import annotations

import functools
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterprofiles import Profile, packaged
from metersim import Meter
from metersim.works.cost_control import LOCAL, PLAIN, REMOTE
from metersim.works.load import Load
from metersim.works.moments import INSTALLED_AT
from metersim.works.plate import Plate
from metersim.works.works import Works
from meterwire.dlt645 import AbnormalReply, Frame, ReadReply, ReadRequest, encode, from_frame, to_frame
from meterwire.dlt645.link.functions import DI_OCTETS, READ, READ_1997

_ME = "000000000161"
_AT = INSTALLED_AT + timedelta(days=400, hours=5)
_DAY = timedelta(days=1)
_PROFILES = [profile for profile in packaged().all if profile.name.startswith("dlt645")]
_CONTROLS = {"none": PLAIN, "remote": REMOTE, "local": LOCAL}
_STEP = 331
"""Every so-manieth of about 40,000 identifiers; a prime, so that it meets every place of the blocks."""
_FUNCTIONS = {"dlt645-2007": READ, "dlt645-1997": READ_1997}
_THE_ONLY_CASES = {"remote-cost-control", "local-prepayment", "single-phase", "three-phase", "generic"}


@functools.cache
def _meter(profile: Profile) -> Meter:
    """A meter with a past: each phase lost its voltage, covers were opened, demands cleared, clocks set."""
    plate = Plate(address=_ME, phases=profile.meter.phases, ct_ratio=Decimal(10))
    load = Load(mean_kw=Decimal(2))
    works = Works(plate, seed=1, load=load, control=_CONTROLS[profile.meter.cost_control])
    at = INSTALLED_AT + 390 * _DAY
    for number, phase in enumerate(plate.phase_names):
        begin = at + number * _DAY
        per_mille = [1000, 1000, 1000]
        per_mille[number] = 500
        works.history.change(begin, voltage_per_mille=tuple(per_mille), cover_open=True)
        works.history.change(begin + _DAY / 2, voltage_per_mille=(1000,) * 3, cover_open=False)
        works.history.change(begin + _DAY * 3 / 4, without_supply=frozenset({phase}))
        works.history.change(begin + _DAY * 7 / 8, without_supply=frozenset())
    works.history.happen(at + 4 * _DAY, "demand_cleared", operator_code="00000001")
    works.history.happen(at + 5 * _DAY, "frozen", table="instant_freeze")
    works.clock.set(at + 6 * _DAY + timedelta(minutes=3), at + 6 * _DAY)
    works.history.change(at + 7 * _DAY, magnetic_field=True, current_open=frozenset({"a"}))
    return Meter(_ME, seed=1, profile=profile, works=works)


def _asked(meter: Meter, di: int, selector: bytes = b"") -> Frame:
    edition = meter.profile.edition
    octets = di.to_bytes(DI_OCTETS[edition], "little") + selector
    answer = meter.answer(Frame(address=_ME, function=_FUNCTIONS[edition], data=octets), _AT)
    assert answer is not None, f"{di:X} {selector.hex()}"
    assert encode(answer.frame)
    return answer.frame


@pytest.mark.parametrize("profile", _PROFILES, ids=lambda profile: profile.name)
def test_every_family_is_answered_or_refused(profile: Profile) -> None:
    """A read of somebody's would stop the meter, or run into a time-out without a reason."""
    meter = _meter(profile)
    answered = 0
    for row in profile.dictionary.rows:
        entry = row.entry(row.first)
        frame = _asked(meter, entry.di)
        answered += not frame.abnormal
        reply = from_frame(frame)
        if isinstance(reply, ReadReply) and not reply.has_following:
            assert entry.decode(reply.data), f"{entry.di:X}"
    assert answered > (100 if profile.edition == "dlt645-1997" else 400)


@pytest.mark.parametrize("profile", _PROFILES, ids=lambda profile: profile.name)
@pytest.mark.parametrize("number", [0, 1])
def test_identifiers_all_over_the_dictionary_are_answered_or_refused(profile: Profile, number: int) -> None:
    """One tariff, phase or record of a family would stop the meter, though its first one does not."""
    meter = _meter(profile)
    asked = 0
    for place, di in enumerate(profile.dictionary.identifiers()):
        if place % _STEP == number * _STEP // 2:
            reply = from_frame(_asked(meter, di))
            assert isinstance(reply, ReadReply | AbnormalReply)
            asked += 1
    assert asked > 1


@pytest.mark.parametrize("profile", _PROFILES, ids=lambda profile: profile.name)
@given(data=st.data())
def test_no_identifier_and_no_selector_stops_a_meter(profile: Profile, data: st.DataObject) -> None:
    """Anybody on the line could stop the simulator."""
    octets = DI_OCTETS[profile.edition]
    rows = profile.dictionary.rows
    known = st.sampled_from(range(len(rows))).map(lambda place: rows[place].entry(rows[place].first).di)
    dis = st.one_of(known, st.integers(0, 256**octets - 1), known.map(lambda di: di | 0xFF))
    di = data.draw(dis)
    selector = data.draw(st.sampled_from([b""]) if octets == 2 else st.binary(max_size=7))
    edition = profile.edition
    wire = di.to_bytes(octets, "little") + selector
    answer = _meter(profile).answer(Frame(address=_ME, function=_FUNCTIONS[edition], data=wire), _AT)
    if not selector:
        assert answer is not None
    if answer is not None:
        assert encode(answer.frame)


def test_the_kinds_of_meters_are_all_there() -> None:
    """A new kind in the catalogue would be left out of these tests."""
    assert _THE_ONLY_CASES == {profile.name.rpartition("/")[2] for profile in _PROFILES}
    assert to_frame(ReadRequest(address=_ME, di=0x00010000)).function == READ
