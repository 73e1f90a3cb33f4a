"""A 1376.1 terminal at the door and at the ear: calls, reports, and who is sent away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterlink.drivers.gdw1376.session import StationSession
from meterlink.drivers.gdw1376.settings import IDLE_MARGIN_S, TerminalSettings
from meterwire.gdw1376.formats.times import Moment
from meterwire.gdw1376.functions import terminal as table
from meterwire.gdw1376.link.deframer import TERMINAL, Deframer
from meterwire.gdw1376.link.terminal_frame import Address
from meterwire.gdw1376.messages.terminal import Message, decode, encode, request, unit
from meterwire.gdw1376.sessions.terminal_listener import HEARTBEAT, LOGIN, LOGOUT, REPORTS_MAX
from meterwire.gdw1376.sessions.terminal_server import TerminalServer
from tests.support.vectors import octets, vectors

ADDRESS = Address("0171", 2082)
POWER = {"erc": 14, "time": Moment(year=26, month=11, day=23, hour=9, minute=1), "power_on": None}
_FRAMES = [octets(one) for one in vectors("gdw1376.jsonl", "gdw1376.1") if one["direction"] == "up"]


class _Concerned:
    def __init__(self, name: str = "0171-2082", **more: Any) -> None:
        self.settings = TerminalSettings(name=name, **more)
        self.comings: list[int] = []
        self.diallings = 0
        self.reports: list[tuple[Message, Callable[[], None]]] = []

    def came(self, protocol_id: int) -> None:
        self.comings.append(protocol_id)

    def dialled(self) -> None:
        self.diallings += 1

    def told(self, message: Message, confirm: Callable[[], None]) -> None:
        self.reports.append((message, confirm))


class _Door:
    """A session, and the terminal before it."""

    def __init__(self, *known: _Concerned, address: Address = ADDRESS, **more: Any) -> None:
        self.known = known or (_Concerned(),)
        self.session = StationSession({one.settings.name: one for one in self.known}, **more)
        self.far = TerminalServer(address, lambda _: [])
        self.rung = 0

    def say(self, octets: bytes) -> list[Message]:
        self.session.feed(octets)
        wide = self.known[0].settings.wide
        spans = Deframer(TERMINAL).feed(self.session.octets_to_send())
        return [decode(span.octets, wide=wide) for span in spans]

    def call(self, fn: int) -> list[Message]:
        self.far.call(fn)
        return self.say(self.far.octets_to_send())

    def report(self) -> bytes:
        told = {"ec": [1, 0], "pm": 0, "pn_ptr": 1, "events": [POWER]}
        self.far.report(table.EVENTS, [unit(table.EVENTS, 1, told, way="up")])
        return self.far.octets_to_send()

    def ring(self) -> None:
        self.rung += 1


def test_a_terminal_logs_in_beats_and_goes() -> None:
    """It would dial again and again, or stay on a connection that nobody answers."""
    door = _Door()
    [denied] = door.call(HEARTBEAT)
    assert denied.is_denial, "so that it logs in"
    assert (None, "") == (door.session.terminal, door.session.ending)
    [confirmed] = door.call(LOGIN)
    assert confirmed.is_confirmation
    assert ("0171-2082", "", [2]) == (door.session.terminal, door.session.ending, door.known[0].comings)
    [confirmed] = door.call(HEARTBEAT)
    assert confirmed.is_confirmation
    [confirmed] = door.call(LOGOUT)
    assert confirmed.is_confirmation
    assert "the terminal logged out" == door.session.ending


def test_each_login_is_told_and_no_heartbeat() -> None:
    """A terminal that restarts behind its modem has another archive, and keeps the connection."""
    door = _Door()
    for fn in (LOGIN, HEARTBEAT, LOGIN, HEARTBEAT):
        [confirmed] = door.call(fn)
        assert confirmed.is_confirmation
    assert [2, 2] == door.known[0].comings


def test_the_heartbeat_that_is_configured_says_how_long_it_may_be_silent() -> None:
    """A dead connection behind a mobile network would be taken for a line for hours."""
    door = _Door(_Concerned(heartbeat_s=60.0))
    door.call(LOGIN)
    assert 2 * 60 + IDLE_MARGIN_S == door.session.idle_limit_s


@pytest.mark.parametrize("address", [Address("0171", 2083), Address("0172", 2082), Address("000171", 2082)])
def test_a_stranger_is_sent_away_with_the_reason(address: Address) -> None:
    """Anybody could take a terminal's place, and give it values."""
    door = _Door(address=address)
    assert [] == door.call(LOGIN)
    assert door.session.terminal is None
    if not address.is_wide:
        assert "no line is configured for it" in door.session.ending
    assert [] == door.known[0].comings


def test_another_terminal_on_the_same_connection_ends_it() -> None:
    """Its values would be those of the first."""
    other = _Concerned("0171-2083")
    door = _Door(_Concerned(), other)
    door.call(LOGIN)
    door.far = TerminalServer(Address("0171", 2083), lambda _: [])
    assert [] == door.call(LOGIN)
    assert "another terminal called" in door.session.ending
    assert [] == other.comings


def test_wide_and_narrow_terminals_on_one_port() -> None:
    """The head does not tell how long an address is: one kind would never get in."""
    narrow, wide = _Concerned(), _Concerned("0171-2083", wide=True)
    for address, name in ((Address("0171", 2082), "0171-2082"), (Address("000171", 2083), "0171-2083")):
        session = StationSession({"0171-2082": narrow, "0171-2083": wide})
        far = TerminalServer(address, lambda _: [])
        far.call(LOGIN)
        session.feed(far.octets_to_send())
        assert name == session.terminal
        far.feed(session.octets_to_send())
        assert far.confirmed


def test_areas_of_six_digits_are_terminals_of_their_own() -> None:
    """Areas with the same last four digits would be one terminal, or be let in by nobody."""
    names = ("440106-2082", "330106-2082", "0106-2082", "440106-16777215")
    known = {name: _Concerned(name, wide=True) for name in names}
    for name in names:
        session = StationSession(known)
        area, number = name.split("-")
        far = TerminalServer(Address(area.zfill(6), int(number)), lambda _: [])
        far.call(LOGIN)
        session.feed(far.octets_to_send())
        assert name == session.terminal
        far.feed(session.octets_to_send())
        assert far.confirmed
    assert [[2]] * len(names) == [one.comings for one in known.values()]


def test_a_report_is_confirmed_when_it_has_been_kept_and_not_before() -> None:
    """A report that we lose after confirming it is lost for ever."""
    door = _Door()
    assert [] == door.say(door.report())
    assert door.known[0].reports == [], "before its login anybody could report"
    door = _Door()
    door.call(LOGIN)
    door.session.on_due(door.ring)
    assert [] == door.say(door.report())
    [(message, confirm)] = door.known[0].reports
    assert [14] == [event["erc"] for event in message.units[0].values["events"]]
    confirm()
    assert 1 == door.rung
    [confirmed] = door.say(b"")
    assert (message.head.sequence, True) == (confirmed.head.sequence, confirmed.is_confirmation)


def test_a_report_kept_after_the_connection_has_gone_is_told_again() -> None:
    """Its confirmation would go to another connection, whose numbers are others."""
    door = _Door()
    door.call(LOGIN)
    door.session.on_due(door.ring)
    door.say(door.report())
    door.session.on_due(None)
    [(_, confirm)] = door.known[0].reports
    confirm()
    assert (b"", 0) == (door.session.octets_to_send(), door.rung)


def test_as_many_reports_as_are_taken_and_one_more() -> None:
    """They are handed on at once, so the limit of the listener is met by none that comes in pieces."""
    door = _Door()
    door.call(LOGIN)
    for _ in range(REPORTS_MAX + 1):
        door.say(door.report())
    assert (REPORTS_MAX + 1, "") == (len(door.known[0].reports), door.session.ending)


def test_what_answers_a_question_goes_to_who_asked() -> None:
    """An answer would be taken for a report, or a report for an answer."""
    door = _Door()
    door.call(LOGIN)
    door.session.octets_taken()
    asked = request(Address("0171", 2082, 1), table.CLASS_1, [unit(table.CLASS_1, 2)], sequence=3)
    door.far.feed(encode(asked))
    answered = door.far.octets_to_send()
    door.say(answered[:9])
    assert b"" == door.session.octets_for_exchange()
    door.say(answered[9:])
    assert answered == door.session.octets_for_exchange()
    assert b"" == door.session.octets_taken()
    reported = door.report()
    door.say(reported)
    assert (b"", reported) == (door.session.octets_for_exchange(), door.session.octets_taken())


def test_a_terminal_that_we_dial_need_not_log_in() -> None:
    """One that waits for its master says nothing before it is asked, and reports all the same."""
    known = _Concerned()
    door = _Door(known, dialled="0171-2082")
    assert ("0171-2082", 1) == (door.session.terminal, known.diallings)
    door.session.on_due(door.ring)
    assert [] == door.say(door.report())
    assert 1 == len(known.reports)
    [confirmed] = door.call(HEARTBEAT)
    assert confirmed.is_confirmation


@pytest.mark.parametrize("step", [1, 3, 8, 1000])
def test_calls_in_any_pieces_and_between_rubbish(step: int) -> None:
    """Mobile networks cut where they like, and modems greet."""
    door = _Door()
    door.far.call(LOGIN)
    login = door.far.octets_to_send()
    heard = b"CONNECT 9600\r\n\x68\x68" + login + b"\x00\x68garbage"
    answers = [one for at in range(0, len(heard), step) for one in door.say(heard[at : at + step])]
    assert [True] == [one.is_confirmation for one in answers]
    assert "0171-2082" == door.session.terminal


@settings(max_examples=200)
@given(st.lists(st.one_of(st.binary(max_size=60), st.sampled_from(_FRAMES)), max_size=12))
def test_whatever_comes_nothing_breaks(pieces: list[bytes]) -> None:
    """One terminal's rubbish would end a line, or let it in under a name that is not its own."""
    door = _Door()
    door.session.on_due(door.ring)
    for piece in pieces:
        door.session.feed(piece)
        door.session.octets_to_send()
    assert 0 == door.session.faults
    assert door.session.terminal in (None, "0171-2082")
