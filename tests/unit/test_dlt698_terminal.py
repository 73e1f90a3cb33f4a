"""A 698.45 terminal at the door and at the ear: published frames in, answers out."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from meterlink.drivers.dlt698.reports import Told
from meterlink.drivers.dlt698.terminal import FRAME_GAP_S, HEARTBEAT_DEFAULT_S, IDLE_MARGIN_S, TerminalSession
from meterlink.drivers.events import ReportedEvent
from meterlink.drivers.reports import REPORTS_MAX, Report, ReportedReadings, ReportQueue
from meterlink.model.event_kinds import UNREAD_REPORT
from meterlink.model.zone import CHINA_TIME
from metersim.loop import SimClock
from meterwire.dlt698.apdus.apdu import decode_apdu, encode_apdu
from meterwire.dlt698.apdus.link_management import LinkRequest
from meterwire.dlt698.apdus.parts import AttributeResult, Piid
from meterwire.dlt698.apdus.report import ReportNotificationList
from meterwire.dlt698.axdr.selection import Oad
from meterwire.dlt698.axdr.values import Data, DateTime
from meterwire.dlt698.link import frame as link
from meterwire.dlt698.link.address import ServerAddress
from meterwire.dlt698.link.deframer import Deframer
from meterwire.dlt698.link.frame import Frame
from meterwire.dlt698.sessions import listener as wire

LOGIN = bytes.fromhex("681E008105111111111111009E7601000000B407E9040B05090C2800008A8B16")
"""Captured from a live terminal, 111111111111. Source: spec dlt698, 9.11."""
HEARTBEAT = bytes.fromhex("681E00810501000000000000D2B6010001012C07E60217030004330068773416")
"""Of a terminal simulator, 000000000001. Source: spec dlt698, 9.13."""
EVENT = bytes.fromhex(
    "6858008305111111111111A01C70880209013106020006002022020000201E0200002020020000202402000033"
    "0002000033090206010106000000181C07E9040A0B1D26001600010102025145000200110104088000001BC216"
)
"""A power failure, from a live terminal. Source: spec dlt698, 9.22."""
AT = datetime(2025, 4, 11, 1, 12, 39, 440_000, UTC)
_PIECES = [LOGIN, HEARTBEAT, EVENT, LOGIN[:20]]


class _Door:
    """A session with everything around it."""

    def __init__(self, *known: str, clock_trusted: bool = False) -> None:
        self.clock = SimClock(AT)
        self.reports: list[Report] = []
        self.rung = 0
        self.session = TerminalSession(
            known,
            clock=self.clock,
            zone=CHINA_TIME,
            clock_trusted=clock_trusted,
            report=self.reports.append,
        )

    def say(self, octets: bytes) -> list[Any]:
        """Feed octets; the APDUs that come back."""
        self.session.feed(octets)
        return [decode_apdu(frame.user_data) for frame in _frames(self.session.octets_to_send())]

    def ring(self) -> None:
        self.rung += 1


def _frames(octets: bytes) -> list[Frame]:
    return Deframer().feed(octets)


def _link(kind: int, *, digits: str = "111111111111", heartbeat_s: int = 180) -> bytes:
    request = LinkRequest(piid=Piid(0), type=kind, heartbeat_s=heartbeat_s, time=DateTime.of(AT))
    server = ServerAddress(digits)
    return link.encode(Frame(server, 0, encode_apdu(request), True, False, link.FUNCTION_LINK))


def _report(*results: AttributeResult, number: int = 5) -> bytes:
    apdu = encode_apdu(ReportNotificationList(piid=Piid(number), results=results))
    return link.encode(Frame(ServerAddress("111111111111"), 0x10, apdu, True, False))


def test_a_published_login_is_answered_as_the_published_head_end_did() -> None:
    """The terminal would not come online, or set its clock by a wrong time."""
    door = _Door("111111111111")
    [answer] = door.say(LOGIN)
    assert (0, False) == (answer.result.code, answer.result.clock_trusted)
    assert "2025-04-11T09:12:40.000 w5" == str(answer.request_time)
    assert "2025-04-11T09:12:39.440 w5" == str(answer.receive_time) == str(answer.response_time)
    assert ("111111111111", "") == (door.session.terminal, door.session.ending)
    assert 2 * 180 + IDLE_MARGIN_S == door.session.idle_limit_s


def test_whether_our_clock_can_be_trusted_is_told() -> None:
    """Terminals set their clocks by ours, and their meters by theirs."""
    [answer] = _Door("111111111111", clock_trusted=True).say(LOGIN)
    assert 0x80 == answer.result


@pytest.mark.parametrize("step", [1, 2, 7, 31, 33])
def test_a_login_and_a_heartbeat_in_any_pieces(step: int) -> None:
    """Mobile networks cut where they like, and glue."""
    door = _Door("000000000001")
    octets = b"\xfe\xfe" + HEARTBEAT + b"garbage\x68" + HEARTBEAT
    answers = [one for at in range(0, len(octets), step) for one in door.say(octets[at : at + step])]
    assert [0, 0] == [answer.result for answer in answers]
    assert "000000000001" == door.session.terminal  # a heartbeat will do: we may have been restarted


def test_an_unknown_terminal_is_an_illegal_device() -> None:
    """It would be let in, and its readings kept as somebody's."""
    door = _Door("000000000001")
    [answer] = door.say(LOGIN)
    assert 2 == answer.result.code
    assert door.session.terminal is None
    assert "no line is configured for terminal 111111111111" in door.session.ending


def test_another_terminal_on_the_same_connection_ends_it() -> None:
    """Its answers would be taken for those of the first."""
    door = _Door("111111111111", "000000000001")
    door.say(LOGIN)
    [answer] = door.say(HEARTBEAT)
    assert 2 == answer.result.code
    assert "another" in door.session.ending
    assert "111111111111" == door.session.terminal


def test_a_second_login_is_fine_and_a_logout_ends() -> None:
    """A terminal that logs in again on the same connection has only lost an answer."""
    door = _Door("111111111111")
    assert [0, 0] == [door.say(LOGIN)[0].result, door.say(_link(0, heartbeat_s=60))[0].result]
    assert 2 * 60 + IDLE_MARGIN_S == door.session.idle_limit_s
    assert 0 == door.say(_link(1, heartbeat_s=0))[0].result
    assert 2 * HEARTBEAT_DEFAULT_S + IDLE_MARGIN_S == door.session.idle_limit_s
    assert "" == door.session.ending
    assert 0 == door.say(_link(2))[0].result
    assert "it logged out" == door.session.ending


@pytest.mark.parametrize("digits", ["11", "0000111111111111"])
def test_an_address_of_another_length_is_the_same_number(digits: str) -> None:
    """Terminals send their address in 1 to 16 octets; configurations write 12 digits."""
    door = _Door(digits.lstrip("0").zfill(12))
    [answer] = door.say(_link(0, digits=digits))
    assert 0 == answer.result.code


def test_a_frame_that_was_cut_short_does_not_swallow_the_next() -> None:
    """The heartbeats of a minute would be taken for its rest, and the terminal dial again."""
    door = _Door("111111111111")
    door.say(LOGIN)
    assert [] == door.say(EVENT[:40])
    door.clock.advance(FRAME_GAP_S + 1)
    assert 1 == len(door.say(LOGIN))


def test_answers_go_to_the_exchange_and_calls_do_not() -> None:
    """An exchange would wait for what the listener ate, or be given a heartbeat for an answer."""
    door = _Door("111111111111")
    apdu = bytes.fromhex("8501054001020001001C07E9040B090C280000")
    answer = link.encode(Frame(ServerAddress("111111111111"), 0x10, apdu, True, True))
    echo = link.encode(Frame(ServerAddress("111111111111"), 0x10, apdu, False, True))
    assert 2 == len(door.say(LOGIN + answer[:9]) + door.say(answer[9:] + echo + LOGIN + answer))
    assert answer + answer == door.session.octets_for_exchange()
    assert LOGIN + LOGIN == door.session.octets_taken()
    assert b"" == door.session.octets_for_exchange()


def test_a_report_of_readings_is_acknowledged_once_it_is_kept() -> None:
    """Acknowledged before, a reading is lost with the next power failure of ours."""
    door = _Door("111111111111")
    door.session.on_due(door.ring)
    door.say(LOGIN)
    energy = Data("double-long-unsigned", 12345)
    results = (
        AttributeResult(Oad(0x0010, 2, 1), energy),
        AttributeResult(Oad(0x2000, 2, 1), Data("long-unsigned", 2301)),
    )
    assert [] == door.say(_report(*results))
    [report] = door.reports
    [part] = report.parts
    assert isinstance(part, ReportedReadings)
    assert ("111111111111", "111111111111", AT) == (report.terminal, part.address, report.received_at)
    assert [("forward_active_energy", Decimal("123.45"), "kWh"), ("voltage.a", Decimal("230.1"), "V")] == [
        (value.item, value.value, value.unit) for value in part.values
    ]
    report.acknowledge()
    [frame] = _frames(door.session.octets_to_send())
    assert 1 == door.rung
    assert "0801 05 02 00100201 20000201 00".replace(" ", "") == frame.user_data.hex()
    assert (0x03, 0x10) == (frame.control, frame.client)


def test_nothing_is_kept_before_a_login() -> None:
    """Anybody who can dial could write a register under a meter's name, and the terminal never hear of it."""
    door = _Door("111111111111")
    door.session.on_due(door.ring)
    report = _report(AttributeResult(Oad(0x0010, 2, 1), Data("double-long-unsigned", 1)))
    assert [] == door.say(report + EVENT)
    assert ([], 0) == (door.reports, door.rung)
    door.say(LOGIN + report)
    assert 1 == len(door.reports)
    stranger = _Door("111111111111")
    stranger.say(_link(0, digits="22") + report)
    assert [] == stranger.reports, "a login that was refused is none"


def test_an_acknowledgement_after_the_connection_went_is_not_kept() -> None:
    """It would pile up, or be sent on a later connection."""
    door = _Door("111111111111")
    door.session.on_due(door.ring)
    door.say(LOGIN + _report(AttributeResult(Oad(0x0010, 2, 1), Data("double-long-unsigned", 1))))
    door.session.octets_to_send()
    door.session.on_due(None)
    door.reports[0].acknowledge()
    assert (b"", 0) == (door.session.octets_to_send(), door.rung)


def test_a_full_queue_drops_and_counts() -> None:
    """A storm of reports while the disk is full would take all memory."""
    door = _Door("111111111111")
    door.say(LOGIN + _report(AttributeResult(Oad(0x0010, 2, 1), Data("double-long-unsigned", 1))))
    queue = ReportQueue()
    for _ in range(REPORTS_MAX):
        queue.put(door.reports[0])
    assert 0 == queue.dropped
    queue.put(door.reports[0])
    assert 1 == queue.dropped


@settings(max_examples=200)
@given(octets=st.lists(st.binary(max_size=60) | st.sampled_from(_PIECES), max_size=8))
def test_any_octets_at_all(octets: list[bytes]) -> None:
    """Whoever dials could crash the gateway."""
    whole, pieces = _Door("111111111111"), _Door("111111111111")
    answers = whole.say(b"".join(octets))
    by_octet = [one for octet in b"".join(octets) for one in pieces.say(bytes((octet,)))]
    assert answers == by_octet
    assert whole.session.terminal == pieces.session.terminal
    assert 0 == whole.session.faults == pieces.session.faults


def test_a_frame_over_which_we_break_costs_itself_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of ours in one terminal's frame would end its connection, or the line of its neighbours."""

    def broken(*_: Any) -> Any:
        raise ZeroDivisionError

    door = _Door("111111111111")
    with monkeypatch.context() as patch, capture_logs() as logs:
        patch.setattr(wire.Listener, "feed", broken)
        assert [] == door.say(EVENT)
    assert 1 == len(door.say(LOGIN)), "the next frame is heard"
    [told] = logs
    assert ("frame_broke_us", "111111111111", 1) == (told["event"], told["terminal"], told["faults"])
    assert isinstance(told["exc_info"], ZeroDivisionError)


def test_a_report_over_which_we_break_is_kept_as_its_octets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its terminal would tell it for ever, and after some tries throw it away."""

    def broken(*_: Any) -> Any:
        raise ZeroDivisionError

    door = _Door("111111111111")
    door.say(LOGIN)
    monkeypatch.setattr(Told, "_take_row", broken)
    with capture_logs() as logs:
        door.say(EVENT)
    [report] = door.reports
    [part] = report.parts
    assert isinstance(part, ReportedEvent)
    contents = {value.item: value.content for value in part.values}
    assert (UNREAD_REPORT, "this program broke over it (ZeroDivisionError)") == (part.kind, contents["fault"])
    assert link.decode(EVENT).user_data.hex().upper() == contents["octets"]
    assert ["frame_broke_us"] == [entry["event"] for entry in logs]
    assert 1 == door.session.faults
