"""A DL/T 645 meter: request frame and time in, answer out. No I/O and no clock of its own.

A meter of 2007 answers 11H (read data) for what it measures and what of it it froze, as single items and as
blocks, for its load records, for its parameters and for the records of its relay, refuses every other
identifier with D1 ERR 02 ("no such data"), and answers 13H (read address). An answer that is longer than its
frames comes in pieces (12H, 02H). It obeys control, wallet, writes, freezes and the time
(`metersim.dlt645.commands`). One of 1997 answers 01H the same way, refuses with C1 ERR 02, shows fewer digits
and no signs, gives its address as the meter number C032, and answers reads that go to everybody (99...99), as
many of them do; asked by 03H it says its last answer once more, and it obeys what commands its edition has
(`metersim.dlt645.commands1997`). To anything else they are silent, as real meters are: other addresses,
other functions, answers of their neighbours, broadcasts.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from types import MappingProxyType
from typing import Final, NamedTuple

from meterprofiles import Profile, generic
from metersim.dlt645 import commands1997
from metersim.dlt645.commands import FUNCTIONS, Commands
from metersim.dlt645.commands1997 import Commands1997
from metersim.dlt645.edition1997 import Edition1997
from metersim.dlt645.event_records import EventRecords
from metersim.dlt645.following import FOLLOWING, PIECE_OCTETS_MAX, LongAnswer
from metersim.dlt645.frozen import found_data, frozen_data
from metersim.dlt645.language import DLT645, Wording645
from metersim.dlt645.load_records import LoadRecords
from metersim.dlt645.nameplate import contents_of, encoded
from metersim.works.cost_control import PLAIN, CostControl
from metersim.works.items import PHASE_QUANTITIES, POWERS, PRESENT, QUANTITIES, REGISTERS, items_of
from metersim.works.load import MEAN_KW
from metersim.works.moments import INSTALLED_AT
from metersim.works.works import Works, usual_works
from meterwire.dlt645 import (
    BROADCAST,
    AbnormalReply,
    Entry,
    Frame,
    ReadFollowingRequest,
    ReadReply,
    ReadRequest,
    from_frame,
    to_frame,
)
from meterwire.dlt645.items.formats import Hex, Number
from meterwire.dlt645.link.functions import READ, READ_1997, READ_AGAIN_1997, Edition
from meterwire.dlt645.messages.command import ReadAgainRequest
from meterwire.errors import RemoteProtocolError
from meterwire.item_value import Content

_READ: Final[dict[Edition, int]] = {"dlt645-2007": READ, "dlt645-1997": READ_1997}
_READS: Final[dict[Edition, frozenset[int]]] = {
    "dlt645-2007": frozenset({READ, FOLLOWING["dlt645-2007"]}),
    "dlt645-1997": frozenset({READ_1997, FOLLOWING["dlt645-1997"], READ_AGAIN_1997}),
}
READ_ADDRESS: Final = 0x13
NO_SUCH_DATA: Final = b"\x02"  # ERR bit 1

_TEXTS: Final = {
    "active_accuracy": "2.0",
    "scroll_screen@number.1": "0000010000",  # the total of forward energy, no sub-number
    "key_screen@number.1": "0000020000",
    "report_mode_word": "0000000000000C00",
}
"""What every meter here has on its nameplate and in its parameters; octets as digits, highest first."""

_PRICES: Final = "tariff_price_setting"
"""Parameters whose set is written as a period."""
_LOAD_RECORDS: Final = "load_records@"
_MEASURED: Final = frozenset((*REGISTERS, *POWERS, *PHASE_QUANTITIES, *PRESENT))
_ITEMS_KEPT: Final = 8_192
"""Items of which it is remembered whether they are measured."""

_ADDRESS = re.compile("[0-9]{12}").fullmatch


class Answer(NamedTuple):
    """What a meter says to one request.

    A ``NamedTuple``, because there is one for every request; fields are given by name.

    Args:
        address: the meter's own address.
        frame: the frame to send.
        di: the identifier that was asked for; ``None`` for its address.
        values: item to value, of what the frame carries; empty for a refusal.

    """

    address: str
    frame: Frame
    di: int | None = None
    values: Mapping[str, Decimal] = MappingProxyType({})

    @property
    def wording(self) -> Wording645:
        """How it is said."""
        return _new_wording((self.frame,))


_new_reply = functools.partial(tuple.__new__, ReadReply)
_new_wording = functools.partial(tuple.__new__, Wording645)
_new_answer = functools.partial(tuple.__new__, Answer)


class Meter:
    """One meter.

    Args:
        address: 12 decimal digits, not all nines (nobody may answer to those).
        seed: seed of the plant.
        growth_kw: mean power that its registers count, 0 to 10,000 kW.
        protocol: ``dlt645-2007`` or ``dlt645-1997``: the generic profile of that edition.
        profile: which model it is, in place of ``protocol``: its edition, dialect, switches and quirks.
        since: when it was first switched on, aware; it has frozen nothing before.
        clock_ahead: how far its clock is ahead of the true time, at most 400 days; negative: behind.
        piece_octets: most data octets that it puts into a frame, 1 to 195; what is longer comes in pieces.
        works: what it measures with, in place of ``growth_kw``, ``since``, ``clock_ahead`` and ``control``.
        control: what its relay and its wallet are like.
        passwords: by level, 6 digits each; the others are 000000.

    Attributes:
        works: its clock, switch, wallet and memory, and what it measures.
        freezes: its daily freezes.
        commands: what changes it, of 2007.

    Raises:
        ValueError: ``address``, ``growth_kw``, ``clock_ahead`` or ``piece_octets`` is out of range.

    """

    language: Final = DLT645

    def __init__(
        self,
        address: str,
        *,
        seed: int,
        growth_kw: Decimal = MEAN_KW,
        protocol: Edition = "dlt645-2007",
        profile: Profile | None = None,
        since: datetime = INSTALLED_AT,
        clock_ahead: timedelta = timedelta(),
        piece_octets: int = PIECE_OCTETS_MAX,
        works: Works | None = None,
        control: CostControl = PLAIN,
        passwords: Mapping[int, str] | None = None,
    ) -> None:
        if not _ADDRESS(address) or address == BROADCAST:
            raise ValueError(f"{address!r} is no meter address: 12 digits, not all nines")
        self.address = address
        self.profile = profile or generic(protocol)
        self._protocol: Edition = self.profile.edition
        self._commanded = FUNCTIONS if self._protocol == "dlt645-2007" else commands1997.FUNCTIONS
        self._reads = _READS[self._protocol]
        self._dictionary = self.profile.dictionary
        self.works = works or usual_works(
            address, seed=seed, mean_kw=growth_kw, since=since, clock_ahead=clock_ahead, control=control
        )
        self.lives = 0
        """How often its memory began anew: with each cut of its power, and with each exchange."""
        fit = functools.partial(self._fit, piece_octets=piece_octets, seed=seed, passwords=passwords)
        fit()
        self.works.when_exchanged(fit)
        self.works.when_power_lost(self._lose_power)
        self._load = LoadRecords(self.works, dictionary=self._dictionary)

    def _fit(self, *, piece_octets: int, seed: int, passwords: Mapping[int, str] | None) -> None:
        """Make what only this one meter has: keys, passwords, parameters, and what it was about to say."""
        self.lives += 1
        repeat = self.profile.switch("load_follow_up") == "parameters_and_sequence"
        self._long = LongAnswer(self._protocol, piece_octets=piece_octets, repeat_selector=repeat)
        self._long_values: dict[str, Decimal] = {}
        self._last: Answer | None = None
        self.commands = Commands(
            self.address, profile=self.profile, works=self.works, seed=seed, passwords=passwords
        )
        self._of_1997: Commands1997 | None = None
        if self._protocol == "dlt645-1997":
            self._of_1997 = Commands1997(
                self.address, profile=self.profile, works=self.works, passwords=passwords
            )
        self._desk = self._of_1997 or self.commands

    def _lose_power(self) -> None:
        """A cut clears the memory of what is passing: proofs, and what it was about to say."""
        self._last = None
        self.lives += 1
        self.commands.lose_power()
        self._long.forget()

    def value(self, item: str, at: datetime) -> Decimal | None:
        """What it shows for ``item`` at ``at``, any time; ``None`` when it has no such item.

        Args:
            item: e.g. ``"forward_active_energy.t1"``.
            at: aware.

        """
        value = self.works.value(item, at)
        return value if value is None or self._protocol == "dlt645-2007" else self._shown(item, value)

    def text(self, item: str) -> str | None:
        """What it shows for an item that is no number; ``None`` when it has no such item."""
        if item == "meter_number":
            return self.works.plate.meter_number
        if item not in _TEXTS or (entry := self._dictionary.by_name(item)) is None:
            return None
        text = _TEXTS[item]
        return text[-2 * entry.octets :] if isinstance(entry.format, Hex) else text

    def offered(self, at: datetime) -> dict[str, Content]:
        """Everything that it answers when it is asked for single items, with what it shows at ``at``."""
        found: dict[str, Content] = {}
        for item in [*(item for name in QUANTITIES for item in items_of(name)), "meter_number", *_TEXTS]:
            shown = self.text(item) or self.value(item, at)
            if shown is not None and self._dictionary.by_name(item) is not None:
                found[item] = shown
        return found

    def _shown(self, item: str, value: Decimal) -> Decimal | None:
        """The value in the digits of 1997: cut after its last place, stuck at its largest."""
        entry = self._dictionary.by_name(item)
        if entry is None or not isinstance(entry.format, Number):
            return None
        last_place = Decimal(1).scaleb(-entry.format.decimals)
        largest = Decimal(10) ** entry.format.whole - last_place
        if entry.format.signed:
            largest = 8 * Decimal(10) ** (entry.format.whole - 1) - last_place
            return max(-largest, min(value.quantize(last_place, ROUND_DOWN), largest))
        return min(abs(value).quantize(last_place, ROUND_DOWN), largest)

    def hears(self, frame: Frame) -> bool:
        """Whether ``frame`` is a request to this meter.

        Source: DL/T 645-2007, 5.2.2: high octets AAH match anything; 999999999999 is never answered, but
        by meters of 1997.
        """
        if frame.function in self._commanded:
            return not frame.from_meter and self._desk.hears(frame)
        if frame.address == self.address:
            return not frame.from_meter
        everybody = frame.address == BROADCAST and self._protocol == "dlt645-1997"
        return not frame.from_meter and (everybody or matches(frame.address, self.address))

    def answer(self, frame: Frame, at: datetime) -> Answer | None:
        """What it says to ``frame`` at ``at``; ``None`` when it is silent."""
        at = self.works.advance(at)
        asked = self.hears(frame) and not frame.abnormal and not frame.has_following
        if not asked or not self.works.powered(at):
            return None
        if frame.function in self._commanded:
            said = self._desk.answer(frame, at)
            return None if said is None else Answer(address=self.address, frame=said)
        if frame.function == READ_ADDRESS and not frame.data and self._protocol == "dlt645-2007":
            data = bytes.fromhex(self.address)[::-1]
            address = Frame(address=self.address, function=READ_ADDRESS, data=data, from_meter=True)
            return Answer(address=self.address, frame=address)
        return self._answer_to_read(frame, at)

    def _answer_to_read(self, frame: Frame, at: datetime) -> Answer | None:
        if frame.function not in self._reads:
            return None
        try:
            message = from_frame(frame, self._protocol)
        except RemoteProtocolError:
            return None
        if isinstance(message, ReadAgainRequest):
            return self._again()
        if isinstance(message, ReadFollowingRequest):
            self._last = self._next_piece(message)
        else:
            self._last = self._read(message, at) if isinstance(message, ReadRequest) else None
        return self._last

    def _again(self) -> Answer:
        """The last answer once more; who has given none refuses."""
        if self._last is None:
            refusal = AbnormalReply(
                address=self.address, function=READ_AGAIN_1997, error_word=commands1997.ILLEGAL_DATA
            )
            return Answer(address=self.address, frame=to_frame(refusal, self._protocol))
        return self._last._replace(frame=self._last.frame._replace(function=READ_AGAIN_1997))

    def _read(self, request: ReadRequest, at: datetime) -> Answer:
        entry = self._dictionary.by_di(request.di)
        found = self._content(entry, request.selector, at) if entry else None
        if found is None:
            function = _READ[self._protocol]
            refusal = AbnormalReply(address=self.address, function=function, error_word=NO_SUCH_DATA)
            return Answer(address=self.address, frame=to_frame(refusal), di=request.di)
        data, self._long_values = found
        whole = _new_reply((self.address, request.di, data, False))
        reply = self._long.first(whole, request.selector)
        return self._piece(to_frame(reply, self._protocol), request.di)

    def _next_piece(self, request: ReadFollowingRequest) -> Answer:
        piece = self._long.next(request, self.address)
        return self._piece(to_frame(piece, self._protocol), request.di)

    def _piece(self, frame: Frame, di: int) -> Answer:
        """The answer in a frame; only who has the last piece has the values."""
        values = {} if frame.has_following or frame.abnormal else self._long_values
        return _new_answer((self.address, frame, di, values))

    def _content(
        self, entry: Entry, selector: bytes, at: datetime
    ) -> tuple[bytes, dict[str, Decimal]] | None:
        """The data of the entry and the numbers in it, as far as the meter has them; ``None`` for nothing.

        A block begins with what every meter has (the total, phase a), so what is missing is its end.
        """
        item = entry.item
        if not selector and self._protocol == "dlt645-2007" and _is_measured(item):
            return found_data(entry, self.works.content, at)
        if item.startswith(_LOAD_RECORDS):
            return self._load.data(entry, selector, at)
        return None if selector else self._told(entry, at)

    def _told(self, entry: Entry, at: datetime) -> tuple[bytes, dict[str, Decimal]] | None:
        """The same of what is not just measured now."""
        if (text := self.text(entry.item)) is not None:
            return entry.encode([text]), {}
        if self._of_1997 is not None:
            return Edition1997(self.works, self.profile, self._shown, self._of_1997.written).data(entry, at)
        return self._found(entry, at)

    def _found(self, entry: Entry, at: datetime) -> tuple[bytes, dict[str, Decimal]] | None:
        for found in (self.commands.data(entry, at), EventRecords(self.works).data(entry, at)):
            if found is not None:
                return found
        if (shown := contents_of(self.works, self.profile, entry.item, at)) is not None:
            return encoded(entry, shown)
        if "@" in entry.item and not entry.item.startswith(_PRICES):  # of another time than now
            return frozen_data(self.works, self._dictionary, entry, at)
        return found_data(entry, self._shows, at)

    def _shows(self, item: str, at: datetime) -> Content:
        if (parameter := self.commands.content(item, at)) is not None:
            return parameter
        if (shown := contents_of(self.works, self.profile, item, at)) is not None:
            return shown[0]
        return self.works.content(item, at)


@functools.lru_cache(_ITEMS_KEPT)
def _is_measured(item: str) -> bool:
    """Whether an item is what the meter measures now, of which nobody but the works has to say anything."""
    return "@" not in item and item.partition(".")[0] in _MEASURED


def matches(wanted: str, address: str) -> bool:
    """Whether a request to ``wanted`` is for the meter ``address``.

    Args:
        wanted: 12 digits as in the request; leading pairs ``AA`` match anything.
        address: 12 decimal digits.

    """
    while wanted.startswith("AA"):
        wanted = wanted[2:]
    return address.endswith(wanted)
