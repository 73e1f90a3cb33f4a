"""What each fault does to an exchange, as a client sees it, in both protocols."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from metersim import Faults, Meter, Station
from metersim.dlt698 import Meter698
from metersim.line.fault_kinds import KINDS, PIECE_OCTETS_MAX
from metersim.line.fault_rules import FaultRule
from meterwire.dlt645 import (
    AbnormalReply,
    Deframer,
    Frame,
    ReadFollowingReply,
    ReadFollowingRequest,
    ReadReply,
    decode,
    encode,
    from_frame,
    to_frame,
)
from meterwire.dlt645.link.functions import Edition
from meterwire.dlt698.apdus.apdu import decode_apdu
from meterwire.dlt698.apdus.get import GetResponseNormal
from meterwire.dlt698.apdus.parts import Dar
from meterwire.dlt698.link import frame as link
from meterwire.dlt698.sessions.transfer import Incoming
from tests.support.sim_line import SimLine, ask645, ask698

A161, A162, A698 = "000000000161", "000000000162", "000000000698"
ENERGIES, VOLTAGES = 0x0001FF00, 0x0201FF00


class Counted(Meter):
    """A meter that counts what it hears."""

    heard = 0

    def answer(self, frame: Frame, at: Any) -> Any:
        self.heard += 1
        return super().answer(frame, at)


def alone(**faults: Any) -> SimLine:
    return SimLine(Station(meter=Counted(A161, seed=1), faults=Faults(seed=5, **faults)))


def sound(di: int = 0x00010000) -> bytes:
    [octets] = alone().say(ask645(A161, di))
    return octets


def heard_by_the_meter(here: SimLine) -> int:
    meter = here.line.meters[A161]
    assert isinstance(meter, Counted)
    return meter.heard


def test_a_lost_request_never_reaches_the_meter_and_a_silent_meter_heard_it() -> None:
    """A trip that was obeyed in silence and one that was lost look alike, and only the meter can tell."""
    lost, silent = alone(loss=1.0), alone(silence=1.0)
    assert [b""] == lost.say(ask645(A161)) == silent.say(ask645(A161))
    assert (0, 1) == (heard_by_the_meter(lost), heard_by_the_meter(silent))


def test_a_delayed_meter_begins_later_and_keeps_the_line() -> None:
    """A timeout that is too short for a slow meter would never be found."""
    here = SimLine(
        Station(meter=Meter(A161, seed=1), faults=Faults(delay=1.0, delay_ms=400)),
        Station(meter=Meter(A162, seed=1)),
    )
    began = here.sim.clock.utc_now()
    here.say(ask645(A161) + ask645(A162), window_s=1)
    assert [0.42, 0.44] == [(record.at - began).total_seconds() for record in here.answers]


def test_an_answer_can_end_after_any_octet() -> None:
    """A reader that hangs on one length of a cut answer would hang for good."""
    whole = sound()
    for octets in range(1, len(whole)):
        heard, *_ = alone(truncation=1.0, truncation_octets=octets).say(ask645(A161))
        assert whole[:octets] == heard
    [heard] = alone(truncation=1.0, truncation_octets=len(whole)).say(ask645(A161))
    assert whole[:-1] == heard, "a truncated answer is never whole"
    lengths = {len(each) for each in alone(truncation=1.0).say(*[ask645(A161)] * 200)}
    assert set(range(1, len(whole))) == lengths


@pytest.mark.parametrize("bits", [1, 2, 64])
def test_so_many_bits_are_wrong(bits: int) -> None:
    """A check that finds one wrong bit only would be taken for good."""
    [heard] = alone(bit_flip=1.0, flipped_bits=bits).say(ask645(A161))
    wrong = int.from_bytes(heard, "big") ^ int.from_bytes(sound(), "big")
    assert bits == wrong.bit_count()


@pytest.mark.parametrize("word", [0x00, 0x04, 0x40, 0xFF, 0x0102])
def test_a_refusal_has_the_chosen_word(word: int) -> None:
    """What a client makes of one certain refusal could not be tested."""
    [heard] = alone(abnormal=1.0, error_word=word).say(ask645(A161))
    expected = word.to_bytes(2 if word > 0xFF else 1, "little")
    assert AbnormalReply(address=A161, function=0x11, error_word=expected) == from_frame(decode(heard))


def test_a_refusal_of_698_has_the_chosen_dar() -> None:
    """As for DL/T 645."""
    here = SimLine(Station(meter=Meter698(A698, seed=1), faults=Faults(abnormal=1.0, error_word=0x21)))
    [heard] = here.say(ask698(A698))
    apdu = decode_apdu(link.decode(heard).user_data)
    assert isinstance(apdu, GetResponseNormal)
    assert Dar(0x21) == apdu.result.result


def test_a_stale_answer_is_that_to_the_last_question_of_the_same_client() -> None:
    """A client that takes what comes would book one meter's energy on another."""
    here = SimLine(
        Station(meter=Meter(A161, seed=1)), Station(meter=Meter(A162, seed=1), faults=Faults(stale=1.0))
    )
    [first] = here.say(ask645(A162))
    assert A162 == decode(first).address, "a client that never asked has no last answer"
    before, stale, again = here.say(ask645(A161), ask645(A162), ask645(A162, 0x02010100))
    assert before == stale
    assert A162 == decode(again).address
    assert [(), (), ("stale",), ("stale",)] == [record.faults for record in here.answers]
    assert [{}, {}] == [record.values for record in here.answers[2:]]


def test_a_stale_answer_to_the_same_question_is_listed_with_what_it_says() -> None:
    """Nobody can tell it from the answer, so a list without its value would accuse an honest client."""
    here = alone(stale=1.0)
    here.say(ask645(A161), ask645(A161), window_s=3600)
    first, second = here.answers
    assert first.octets == second.octets
    assert first.values == second.values
    assert (("stale",), first.at) != (second.faults, second.at)


def test_a_duplicate_is_the_same_answer_twice() -> None:
    """A reader that stops at the first frame would take the second for the next answer."""
    [heard] = alone(duplicate=1.0).say(ask645(A161))
    assert sound() * 2 == heard


def test_a_double_answer_comes_again_later() -> None:
    """It arrives while the client waits for another answer."""
    here = alone(double=1.0, double_ms=100)
    first, second = here.say(ask645(A161), ask645(A161, 0x02010100), window_s=0.09)
    assert sound() == first
    voltage, again = Deframer().feed(second)
    assert bytes.fromhex("00010102") == voltage.data[:4]
    assert decode(sound()) == again
    assert here.answers[0].octets == first * 2


@pytest.mark.parametrize("double_ms", [0, 20, 300])
def test_on_a_paced_line_a_double_answer_waits_for_the_end_of_the_first(double_ms: int) -> None:
    """A meter cannot talk into its own answer, however long that is."""
    faults = Faults(double=1.0, double_ms=double_ms)
    here = SimLine(Station(meter=Meter(A161, seed=1), faults=faults), paced=True)
    whole = sound(ENERGIES)
    [heard] = here.say(ask645(A161, ENERGIES), window_s=5)
    assert whole * 2 == heard


def test_on_a_paced_line_faults_are_the_same() -> None:
    """Who rehearses with real airtime would meet other faults than who tests without."""

    def octets(paced: bool) -> list[bytes]:
        rules = [FaultRule(what=kind, every=7, nth=number) for number, kind in enumerate(KINDS, start=1)]
        here = SimLine(Station(meter=Meter(A161, seed=1)), rules=rules, paced=paced)
        return here.say(*[ask645(A161)] * 60, window_s=8)

    quick, paced = octets(paced=False), octets(paced=True)
    assert [len(each) for each in quick] == [len(each) for each in paced]


# --- follow-up frames --------------------------------------------------------------------------


def _follow(here: SimLine, address: str, di: int, edition: Edition) -> tuple[bytes, int]:
    """The data of an answer in pieces, as a client joins them, and how many pieces there were."""
    data, sequence = b"", 0
    request = ask645(address, di, edition)
    while True:
        [heard] = here.say(request)
        reply = from_frame(decode(heard), edition)
        assert isinstance(reply, ReadReply | ReadFollowingReply)
        data += reply.data
        if not reply.has_following:
            return data, sequence + 1
        sequence += 1
        asked = ReadFollowingRequest(address=address, di=di, sequence=sequence)
        request = encode(to_frame(asked, edition))


@pytest.mark.parametrize("octets", [1, 4, 9, 19, 20, PIECE_OCTETS_MAX])
@pytest.mark.parametrize(("edition", "di"), [("dlt645-2007", ENERGIES), ("dlt645-1997", 0x901F)])
def test_forced_follow_up_frames_join_to_the_answer(edition: Edition, di: int, octets: int) -> None:
    """A client that never meets an answer in pieces has never read one."""
    meter = Meter(A161, seed=1, protocol=edition, growth_kw=Decimal(0))
    whole, _ = _follow(SimLine(Station(meter=meter)), A161, di, edition)
    here = SimLine(Station(meter=meter, faults=Faults(follow_up=1.0, piece_octets=octets)))
    data, pieces = _follow(here, A161, di, edition)
    assert whole == data
    assert -(-len(whole) // octets) == pieces
    assert [{}] * (pieces - 1) == [record.values for record in here.answers[:-1]]
    assert "forward_active_energy" in here.answers[-1].values


def test_a_piece_out_of_turn_is_refused_and_a_new_read_forgets_the_rest() -> None:
    """A client that asks for a wrong piece would be given data that it takes for the right one."""
    here = alone(follow_up=1.0)
    first, wrong, other, late = here.say(
        ask645(A161, ENERGIES),
        encode(to_frame(ReadFollowingRequest(address=A161, di=ENERGIES, sequence=2))),
        encode(Frame(address=A161, function=0x13)),
        encode(to_frame(ReadFollowingRequest(address=A161, di=ENERGIES, sequence=1))),
    )
    assert decode(first).has_following
    assert decode(wrong).abnormal
    assert not decode(other).abnormal
    assert decode(late).abnormal


@pytest.mark.parametrize("cut_by", ["meter", "fault"])
@pytest.mark.parametrize("end", ["cut", "exchange"])
@pytest.mark.parametrize(("edition", "di"), [("dlt645-2007", ENERGIES), ("dlt645-1997", 0x901F)])
def test_a_power_cut_ends_an_answer_in_pieces(edition: Edition, di: int, end: str, cut_by: str) -> None:
    """A client that joins what a meter said before and after its power was cut would pass its test."""
    octets = 4 if cut_by == "meter" else PIECE_OCTETS_MAX
    meter = Meter(A161, seed=1, protocol=edition, piece_octets=octets)
    faults = Faults(follow_up=1.0) if cut_by == "fault" else Faults()
    here = SimLine(Station(meter=meter, faults=faults))
    following = ReadFollowingRequest(address=A161, di=di, sequence=1)
    rest = encode(to_frame(following, edition))
    [first, second] = here.say(ask645(A161, di, edition), rest)
    assert (True, False) == (decode(first).has_following, decode(second).abnormal)
    [first] = here.say(ask645(A161, di, edition))
    assert decode(first).has_following
    at = here.sim.clock.utc_now()
    if end == "cut":
        meter.works.history.change(at, without_supply=frozenset("abc"))
        assert [b""] == here.say(rest)
        meter.works.history.change(here.sim.clock.utc_now(), without_supply=frozenset())
    else:
        meter.works.exchange(at, meter_number="000000000999")
    [refused] = here.say(rest)
    assert decode(refused).abnormal


@pytest.mark.parametrize("octets", [1, 7, 30])
def test_forced_segments_of_698_join_to_the_answer(octets: int) -> None:
    """As for DL/T 645."""
    [whole] = SimLine(Station(meter=Meter698(A698, seed=1))).say(ask698(A698))
    here = SimLine(
        Station(meter=Meter698(A698, seed=1), faults=Faults(follow_up=1.0, piece_octets=octets)),
    )
    joined, request, pieces = Incoming(), ask698(A698), 0
    while True:
        [heard] = here.say(request)
        frame = link.decode(heard)
        if not frame.segmented:
            assert octets == 30, "the answer is longer than a piece"
            assert whole == heard
            return
        pieces += 1
        arrival = joined.feed(frame)
        if arrival.apdu is not None:
            break
        assert arrival.acknowledgement is not None
        request = link.encode(arrival.acknowledgement)
    apdu = link.decode(whole).user_data
    assert apdu == arrival.apdu
    assert -(-len(apdu) // octets) == pieces


# --- what cannot be -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if kind.figure])
def test_a_figure_keeps_its_range(kind: str) -> None:
    """A typing error would silently test something else; both ends of the range must do."""
    figure = KINDS[kind].figure
    assert figure is not None
    for value in (figure.low, figure.high):
        Faults(**{kind: 1.0, figure.field: value})  # type: ignore[arg-type]
        FaultRule(what=kind, **{figure.key: value})  # type: ignore[arg-type]
    for value in (figure.low - 1, figure.high + 1):
        with pytest.raises(ValueError, match=figure.field):
            Faults(**{figure.field: value})
        with pytest.raises(ValueError, match=f"{kind}: {figure.key} {value} is no whole number"):
            FaultRule(what=kind, **{figure.key: value})  # type: ignore[arg-type]
