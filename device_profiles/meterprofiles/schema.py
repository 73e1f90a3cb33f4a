"""What a profile can say: a model's line, its timing, and where it departs from its standard.

A switch of ``layout`` is a fact that sources dispute; ``meterwire`` knows its few values. A quirk is a known
kind with parameters; there are no expressions. A new kind is code with its own test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal, get_args

from meterprofiles.facts import Known
from meterprofiles.registers import RegisterMap
from meterprofiles.yaml_text import FileFault
from meterwire.dlt645.items.dialects import Choices, dialect, switches
from meterwire.dlt645.items.dictionary import Dictionary, dictionary
from meterwire.dlt645.link.functions import EDITIONS, Edition

Parity = Literal["even", "odd", "none"]
PARITIES: Final[tuple[Parity, ...]] = get_args(Parity)
BAUD_RATES: Final = (600, 1200, 2400, 4800, 9600, 19200)
DLT698: Final = "dlt698.45"
Modbus = Literal["modbus-rtu", "modbus-tcp"]
"""One protocol in two kinds of frames; a profile of either serves meters of both."""
MODBUS: Final[tuple[Modbus, ...]] = get_args(Modbus)
Spoken = Edition | Literal["dlt698.45"] | Modbus
"""What a meter can speak."""
PROTOCOLS: Final[tuple[Spoken, ...]] = (*EDITIONS, DLT698)
"""Those whose standard says what can be read, so that a meter of no known model can be served."""
ALL_PROTOCOLS: Final[tuple[Spoken, ...]] = (*PROTOCOLS, *MODBUS)

Phases = Literal[1, 3]
PHASES: Final[tuple[Phases, ...]] = get_args(Phases)
TARIFFS_MAX: Final = 4
"""Sharp, peak, flat and valley."""

Connection = Literal["direct", "ct", "ct_pt"]
"""How current and voltage reach the meter: by themselves, through current transformers, or through both.
Behind transformers the registers count secondary energy."""
CONNECTIONS: Final[tuple[Connection, ...]] = get_args(Connection)

Relay = Literal["none", "built_in", "external"]
"""What opens the circuit: nothing, a contact in the meter, or a breaker that the meter drives."""
RELAYS: Final[tuple[Relay, ...]] = get_args(Relay)

CostControl = Literal["none", "remote", "local"]
"""Who decides on a disconnect for want of money.

- ``none``: the meter takes no part in it;
- ``remote``: the head-end; the meter has no money and obeys commands;
- ``local``: the meter, which has a wallet; the head-end may command as well.

Source: control-and-prepayment, section 2.3; business rules, "two payment worlds".
"""
COST_CONTROLS: Final[tuple[CostControl, ...]] = get_args(CostControl)

CipherBlock = Literal["whole", "split"]
"""How cipher and MAC of an enciphered order of DL/T 645 stand on the wire.

- ``whole``: turned round as one block of 20 octets, so that the MAC comes first;
- ``split``: turned round each by itself, the cipher first; one maker's rail-mounted meters.

Source: control-and-prepayment, section 1.1.
"""
CIPHER_BLOCKS: Final[tuple[CipherBlock, ...]] = get_args(CipherBlock)

Connect = Literal["never", "null", "password"]
"""How an association with a meter of DL/T 698.45 begins.

- ``never``: the one that is always there;
- ``null``: CONNECT without authentication;
- ``password``: CONNECT with the meter's password, which the configuration names.
"""
CONNECTS: Final[tuple[Connect, ...]] = get_args(Connect)
CLIENT: Final = 0x10
"""Client address that heads of the field use. Source: spec dlt698, section 1.1."""

QuirkKind = Literal["signed_value"]
"""Known departures.

- ``signed_value``: the top bit of ``item`` is a sign, where the standard has none. Some makes of 1997
  meters send powers so. Source: spec section 9.2.
"""
QUIRK_KINDS: Final[tuple[QuirkKind, ...]] = get_args(QuirkKind)
QUIRKS_MAX: Final = 32

REPLY_DELAY_MS: Final = 20
"""Where a profile says nothing: the shortest that the standard allows (Td, spec section 1.6)."""
PREAMBLE_MAX: Final = 16


class ProfileError(FileFault):
    """A profile that cannot be used, or two that claim one meter; the message says file, line and remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineTraits:
    """How the meter's port is set when it leaves the factory.

    Args:
        baud: bits a second.
        parity: of a character.
        preamble: FEH octets before each request, 0 to 16.
        answer_preamble: FEH octets that it sends before its answers, 0 to 16; any number is taken.

    """

    baud: int
    parity: Parity
    preamble: int
    answer_preamble: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long it takes.

    Args:
        reply_timeout_ms: wait for the first octet of an answer, 50 to 120,000 ms.
        octet_gap_ms: silence allowed inside an answer, 10 to 10,000 ms.
        turnaround_ms: quiet time that it needs before a request on a serial line, 0 to 5,000 ms.
        reply_delay_ms: how long the meter itself takes to begin its answer (Td), less than
            ``reply_timeout_ms``; a simulated one takes so long.

    """

    reply_timeout_ms: int
    octet_gap_ms: int
    turnaround_ms: int
    reply_delay_ms: int = REPLY_DELAY_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirk:
    """One departure from the standard.

    Args:
        kind: which.
        item: what it is about, a quantity of the protocol's dictionary without dimensions.
        evidence: the recording that shows it, a path in the project or a published source.

    """

    kind: QuirkKind
    item: str
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociationTraits:
    """How a meter of DL/T 698.45 wants to be spoken to.

    Args:
        connect: how an association begins.
        version: of the protocol, as a CONNECT names it, 0 to 65,535; 16 and 22 have been seen, and some
            meters take no other than their own.
        client: our address in its eyes (CA), 0 to 255.
        logical: which of its logical devices is asked, 0 to 3.
        wrap_reads: reads go in a SECURITY envelope, plain, with a random number: many meters answer no
            record reads otherwise (spec dlt698, section 7, item 9).
        ask_scalers: ask for scaler and unit with each value, and count by them instead of the standard's.

    """

    connect: Connect = "never"
    version: int = 0x16
    client: int = CLIENT
    logical: int = 0
    wrap_reads: bool = False
    ask_scalers: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterTraits:
    """What a model is, whatever it speaks.

    Args:
        phases: of its supply.
        connection: how current and voltage reach it.
        voltage_v: nominal phase voltage in volts, 1 to 1,000; behind voltage transformers the secondary one.
        basic_current_a: basic (or secondary nominal) current in amperes, 1 to 1,000.
        max_current_a: largest current in amperes, from the basic one to 1,000.
        tariffs: registers beside each total, 1 to 4.
        relay: what opens the circuit.
        cost_control: who decides on it for want of money; ``local`` only with a relay.

    """

    phases: Phases = 3
    connection: Connection = "direct"
    voltage_v: int = 220
    basic_current_a: int = 5
    max_current_a: int = 60
    tariffs: int = TARIFFS_MAX
    relay: Relay = "built_in"
    cost_control: CostControl = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlTraits:
    """What a model is like when it is ordered about.

    Args:
        allow_plaintext_control: orders may go out under a password that anybody on the line can read.
            Source: control-and-prepayment, section 7.1.
        asks_words: enciphered orders of DL/T 645 ask for verdicts of two octets, which tell a cause: newer
            meters only, by one source. Without them every refusal may hide a wrong MAC. Source: section 1.4.
        cipher_block: how cipher and MAC stand on the wire; a meter counts the wrong form as a wrong MAC.
        known: which of the ten facts somebody vouches for; in a file each is a key of its own.

    """

    allow_plaintext_control: bool = False
    asks_words: bool = False
    cipher_block: CipherBlock = "whole"
    known: Known = ()


TOGETHER_MAX: Final = 32
"""Most items of one request that a profile may allow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadTraits:
    """How much of a model can be asked for at once.

    Args:
        together: items of one request at most: attributes of a list of DL/T 698.45, items of a block of
            DL/T 645, rows of a map of Modbus; 1: each item by itself.

    """

    together: int = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryTraits:
    """How many records of past times a model keeps; 0: none that it could be asked for.

    Args:
        daily_freeze: days.
        monthly_freeze: settlements.
        curve: points.
        curve_every_min: minutes between them, 1 to 1,440.
        sure: which of these somebody vouches for; the others are what the standard lets expect.

    """

    daily_freeze: int = 62
    monthly_freeze: int = 12
    curve: int = 2_880
    curve_every_min: int = 15
    sure: frozenset[str] = frozenset()


MEMORY_MAX: Final = 65_535
"""Most records of one kind: what DL/T 698.45 can say of a table's depth."""
MEMORY: Final[Mapping[Spoken, MemoryTraits]] = MappingProxyType(
    {
        "dlt645-2007": MemoryTraits(),
        "dlt645-1997": MemoryTraits(daily_freeze=0, monthly_freeze=2, curve=0),
        DLT698: MemoryTraits(),
        **dict.fromkeys(MODBUS, MemoryTraits(daily_freeze=0, monthly_freeze=0, curve=0)),
    }
)
"""Where a profile says nothing.

Of DL/T 645-2007 62 daily freezes (annex A.6, extended) and 12 settlements (annex A.1) are what can be asked
for at all; 1997 has two last months and nothing else. A curve of 30 days, and all of DL/T 698.45, whose
tables say their depth themselves, are cautious guesses: no standard says so much.
"""
MEMORY_LIMITS: Final[Mapping[Spoken, Mapping[str, int]]] = MappingProxyType(
    {
        "dlt645-2007": {"daily_freeze": 62, "monthly_freeze": 12},
        "dlt645-1997": {"daily_freeze": 0, "monthly_freeze": 2, "curve": 0},
        DLT698: {},
        **{protocol: {"daily_freeze": 0, "monthly_freeze": 0, "curve": 0} for protocol in MODBUS},
    }
)
"""Most records that identifiers can name; of the others ``MEMORY_MAX``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One model, or a whole edition where ``model`` is empty.

    Args:
        name: e.g. ``dlt645-2007/generic``.
        protocol: what it speaks.
        model: pattern of the model's name with ``*``; empty: every model that no other profile names.
        line: its port.
        timing: its timing.
        dialect: of its edition; empty: the default one.
        layout: the switches that are not at their defaults.
        quirks: where it departs from its standard.
        association: of a meter of DL/T 698.45; the others have none.
        meter: what it is.
        control: what it is like when it is ordered about.
        memory: how much of the past it keeps.
        reads: how much of it can be asked for at once.
        registers: of a meter of Modbus; the others have none.
        file: where it stands, for errors.

    """

    name: str
    protocol: Spoken
    model: str
    line: LineTraits
    timing: Timing
    dialect: str = ""
    layout: Choices = ()
    quirks: tuple[Quirk, ...] = ()
    association: AssociationTraits = AssociationTraits()
    meter: MeterTraits = MeterTraits()
    control: ControlTraits = ControlTraits()
    memory: MemoryTraits = MemoryTraits()
    reads: ReadTraits = ReadTraits()
    registers: RegisterMap | None = None
    file: str = field(default="", compare=False)

    @property
    def edition(self) -> Edition:
        """The edition of DL/T 645 that it speaks; only where it speaks one."""
        assert self.protocol in EDITIONS, f"{self.name} speaks no edition of DL/T 645"
        return self.protocol

    def quirk_items(self, kind: QuirkKind) -> frozenset[str]:
        """The items that have a quirk of that kind."""
        return frozenset(quirk.item for quirk in self.quirks if quirk.kind == kind)

    @property
    def dictionary(self) -> Dictionary:
        """What this model's identifiers of DL/T 645 mean: its dialect, its switches, its signs."""
        return dictionary(self.edition, self.dialect, self.layout, self.quirk_items("signed_value"))

    @property
    def spoken(self) -> str:
        """The name of its dialect; of a protocol that has none, its own."""
        has_dialects = self.protocol in EDITIONS
        return dialect(self.edition, self.dialect).name if has_dialects else self.protocol

    def switch(self, name: str) -> str:
        """The value of a switch of its edition; empty where the edition has no such switch."""
        known = switches(self.edition).get(name)
        return dict(self.layout).get(name, known.default) if known else ""
