"""Maps of registers as profiles write them: what is taken, and what is refused with its line."""

from __future__ import annotations

from decimal import Decimal

import pytest

from meterlink.config import LineSettings, MeterSettings
from meterlink.drivers.choose import answer_octets_max
from meterlink.drivers.profiles import MeterProfiles
from meterlink.roster.fits import Fits
from meterprofiles import ProfileError, Profiles, generic, load_profile, packaged
from meterprofiles.registers import ROWS_MAX
from meterprofiles.schema import MODBUS
from meterwire.modbus.link.rtu import FRAME_OCTETS_MAX

_GOOD = """\
profile: modbus/test
matches: {protocol: modbus-rtu, model: "T*"}
line: {baud: 9600, parity: none, preamble: 0}
timing: {reply_timeout_ms: 1000, octet_gap_ms: 200, turnaround_ms: 20}
registers:
  document: "a maker, a title"
  table: holding
  words: low_first
  registers_max: 60
  gap_max: 4
  rows:
    - {item: voltage.a, address: 0x10, type: uint16, unit: V, scale: 0.1, source: "page 1"}
    - {item: active_power, address: 20, type: int32, unit: W, scale_at: 30, absent: 0, source: "page 1"}
"""
_HEAD = _GOOD.partition("  rows:")[0]
_VOLTAGE = "voltage.a, address: 0x10, type: uint16, unit: V, scale: 0.1"


def _changed(old: str, new: str) -> str:
    assert old in _GOOD
    return _GOOD.replace(old, new)


def test_a_map_says_where_what_stands() -> None:
    """A register would be read as what another one holds."""
    registers = load_profile(_GOOD, "x.yaml").registers
    assert registers is not None
    voltage, power = registers.rows
    assert ("low_first", 60, 4) == (registers.words, registers.registers_max, registers.gap_max)
    assert (16, Decimal("0.1"), ((16, 1),)) == (voltage.address, voltage.scale, voltage.spans)
    assert (Decimal("0.001"), 30, 0) == (power.scale, power.scale_at, power.absent)
    assert ((20, 2), (30, 1)) == power.spans


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        (_GOOD.partition("registers:")[0], 1, "the key 'registers' is missing"),
        (_changed("voltage.a", "voltages.a"), 12, "the catalogue has no quantity 'voltages'"),
        (_changed("voltage.a", "voltage.d"), 12, "voltage has no dimension 'd'"),
        (_changed("voltage.a", "active_power"), 12, "V is no unit of active_power, which is kept in 'kW'"),
        (
            _changed("active_power", "voltage.a").replace("W,", "V,"),
            13,
            "stands here twice",
        ),
        (_changed("unit: V, ", ""), 12, "the key 'unit' is missing; voltage is kept in V"),
        (_changed("0x10", "0x15"), 13, "voltage.a share register 21"),
        (_changed("0x10", "65536"), 12, "'65536' is no whole number of 0 to 65535"),
        (_changed("address: 20", "address: 65535"), 13, "2 registers from 65535 on leave the table"),
        (_changed("uint16", "uint8"), 12, "'uint8' is none of"),
        (_changed("uint16", "text"), 12, "voltage is no text"),
        (
            _changed(
                "voltage.a, address: 0x10, type: uint16, unit: V, scale: 0.1",
                "meter_model, address: 1, type: text",
            ),
            12,
            "the key 'count' is missing",
        ),
        (_changed("scale: 0.1", "scale: 0"), 12, "'0' is no scale"),
        (_changed("scale: 0.1", "count: 2"), 12, "uint16 has 1 registers; leave the key out"),
        (_changed("scale: 0.1", "model: 3"), 12, "`model` goes with `addressing: sunspec`"),
        (_changed("gap_max: 4", "addressing: sunspec"), 12, "name the `model`"),
        (_changed("registers_max: 60", "registers_max: 126"), 9, "no whole number of 2 to 125"),
        (_changed("scale: 0.1, source", "sauce"), 12, "unknown key 'sauce'"),
        (_changed('absent: 0, source: "page 1"', "absent: 0"), 13, "the key 'source' is missing"),
        (_GOOD + "control: {allow_plaintext_control: true}\n", 14, "modbus-rtu has no control"),
        (_changed("absent: 0", "absent: 0x100000000"), 13, "are no bits of a int32"),
        (_changed("absent: 0", "absent: -1"), 13, "are no bits of a int32"),
        (_GOOD + "memory: {curve: 1}\n", 14, "'1' is no whole number of 0 to 0"),
        (_changed("modbus-rtu", "dlt645-2007"), 6, "dlt645-2007 has no registers"),
        (_HEAD + "  rows: []\n", 11, "write one row or more"),
        (
            _HEAD + "  rows: [" + "a," * (ROWS_MAX + 1) + "]\n",
            11,
            f"at most {ROWS_MAX}",
        ),
    ],
)
def test_a_wrong_map_is_refused_with_its_line(text: str, line: int, what: str) -> None:
    """A slip in a map would be a wrong number in every reading of a model."""
    with pytest.raises(ProfileError) as caught:
        load_profile(text, "x.yaml")
    assert what in str(caught.value)
    assert str(caught.value).startswith(f"x.yaml:{line}:")


def test_one_profile_serves_both_kinds_of_frames() -> None:
    """A meter behind a gateway would need a second map of the same registers, which would soon differ."""
    one = load_profile(_GOOD, "a.yaml")
    profiles = Profiles([one])
    assert one is profiles.find("modbus-rtu", "T1")
    assert ("modbus-tcp", one.registers) == (
        (found := profiles.find("modbus-tcp", "T1")).protocol,
        found.registers,
    )
    text = _changed("modbus-rtu", "modbus-tcp").replace("modbus/test", "modbus/other")
    other = load_profile(text, "b.yaml")
    with pytest.raises(ProfileError, match="could both serve a model"):
        Profiles([one, other])
    with pytest.raises(ProfileError, match="no profile serves modbus-rtu"):
        generic("modbus-rtu")


def test_every_packaged_map_names_its_document_and_each_row_its_place() -> None:
    """Nobody could check a register against the paper that it was taken from."""
    maps = [profile for profile in packaged().all if profile.protocol in MODBUS]
    assert len(maps) >= 5
    for profile in maps:
        assert profile.registers is not None
        assert profile.registers.document
        assert all(row.source for row in profile.registers.rows)
        assert answer_octets_max(profile) >= FRAME_OCTETS_MAX


def test_the_rows_of_sunspec_stand_where_its_models_count_them() -> None:
    """An offset that is one too far would take the next quantity for this one.

    Source: json/model_203.json of sunspec/models: sizes of the points up to the one named.
    """
    rows = {row.item: row for row in packaged().named("modbus/sunspec-203").registers.rows}  # type: ignore[union-attr]
    expected = {
        "current.a": (3, 6),
        "voltage.c": (10, 15),
        "frequency": (16, 17),
        "active_power": (18, 22),
        "apparent_power.c": (26, 27),
        "reactive_power": (28, 32),
        "power_factor.c": (36, 37),
        "reverse_active_energy": (38, 54),
        "forward_active_energy.c": (52, 54),
        "forward_apparent_energy": (63, 71),
        "reactive_energy_q4": (96, 104),
    }
    assert expected == {item: (rows[item].address, rows[item].scale_at) for item in expected}


@pytest.mark.parametrize(("address", "words"), [("17", ""), ("248", "unit")])
def test_a_meter_with_an_address_that_is_no_unit_does_not_fit(address: str, words: str) -> None:
    """Its every read would fail, and nobody be told before the first night is lost."""
    line = LineSettings(name="a", url="tcp://127.0.0.1:1")
    entry = {"id": "m", "address": address, "line": "a", "protocol": "modbus-rtu", "model": "SDM230"}
    fits = Fits(profiles=MeterProfiles(), providers=frozenset())
    found = [misfit.words.en for misfit in fits.misfits(MeterSettings.model_validate(entry), line)]
    assert [bool(words)] * bool(words) == [words in one for one in found]
