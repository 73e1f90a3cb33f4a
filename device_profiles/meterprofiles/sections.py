"""The sections of a profile that any protocol has, each held against what it may say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Final, cast

from meterprofiles.facts import FACTS, UNKNOWN
from meterprofiles.places import Place
from meterprofiles.schema import (
    BAUD_RATES,
    CIPHER_BLOCKS,
    CONNECTIONS,
    CONNECTS,
    COST_CONTROLS,
    DLT698,
    MEMORY,
    MEMORY_LIMITS,
    MEMORY_MAX,
    PARITIES,
    PHASES,
    PREAMBLE_MAX,
    RELAYS,
    REPLY_DELAY_MS,
    TARIFFS_MAX,
    TOGETHER_MAX,
    AssociationTraits,
    CipherBlock,
    Connect,
    Connection,
    ControlTraits,
    CostControl,
    LineTraits,
    MemoryTraits,
    MeterTraits,
    Parity,
    Phases,
    ReadTraits,
    Relay,
    Spoken,
    Timing,
)

REPLY_DELAY_MS_MAX: Final = 60_000
VOLTS_MAX: Final = 1_000
AMPERES_MAX: Final = 1_000
_PLAINTEXT: Final = "allow_plaintext_control"
_WORDS: Final = "asks_words"
_BLOCK: Final = "cipher_block"
_NO_EXPIRY: Final = "no_expiry"
_ENCIPHERED_645: Final = (_WORDS, _BLOCK)
"""Of enciphered orders of DL/T 645; the other protocol has one form of them."""


def line(place: Place) -> LineTraits:
    """How the port of such meters is set.

    Args:
        place: where it stands.

    Raises:
        ProfileError: a fault; the message has file, line and remedy.

    """
    table = place.table(("baud", "parity", "preamble"), ("answer_preamble",))
    return LineTraits(
        baud=int(table["baud"].one_of([str(rate) for rate in BAUD_RATES])),
        parity=cast(Parity, table["parity"].one_of(PARITIES)),
        preamble=table["preamble"].whole(0, PREAMBLE_MAX),
        answer_preamble=_whole(table.get("answer_preamble"), 0, PREAMBLE_MAX, otherwise=0),
    )


def timing(place: Place) -> Timing:
    """How long such meters take.

    Args:
        place: where it stands.

    Raises:
        ProfileError: a fault; the message has file, line and remedy.

    """
    table = place.table(("reply_timeout_ms", "octet_gap_ms", "turnaround_ms"), ("reply_delay_ms",))
    reply_timeout_ms = table["reply_timeout_ms"].whole(50, 120_000)
    delay_ms_max = min(reply_timeout_ms - 1, REPLY_DELAY_MS_MAX)
    return Timing(
        reply_timeout_ms=reply_timeout_ms,
        reply_delay_ms=_whole(table.get("reply_delay_ms"), 0, delay_ms_max, otherwise=REPLY_DELAY_MS),
        octet_gap_ms=table["octet_gap_ms"].whole(10, 10_000),
        turnaround_ms=table["turnaround_ms"].whole(0, 5_000),
    )


def _whole(place: Place | None, low: int, high: int, *, otherwise: int) -> int:
    return otherwise if place is None else place.whole(low, high)


def refuse(table: dict[str, Place], keys: tuple[str, ...], protocol: Spoken) -> None:
    """Refuse what a profile of this protocol cannot say.

    Args:
        table: the sections of the profile.
        keys: that it cannot have.
        protocol: what such meters speak.

    Raises:
        ProfileError: it has one.

    """
    for key in keys:
        if key in table:
            raise table[key].error(
                f"{protocol} has no {key}; leave the key out", f"{protocol} 没有 {key},请去掉该键"
            )


def association(place: Place | None) -> AssociationTraits:
    """How the association of DL/T 698.45 is made.

    Args:
        place: where it stands; ``None``: the profile does not say.

    Raises:
        ProfileError: a fault; the message has file, line and remedy.

    """
    usual = AssociationTraits()
    if place is None:
        return usual
    table = place.table((), ("connect", "version", "client", "logical", "wrap_reads", "ask_scalers"))
    return AssociationTraits(
        connect=cast(Connect, table["connect"].one_of(CONNECTS)) if "connect" in table else usual.connect,
        version=_whole(table.get("version"), 0, 65_535, otherwise=usual.version),
        client=_whole(table.get("client"), 0, 255, otherwise=usual.client),
        logical=_whole(table.get("logical"), 0, 3, otherwise=usual.logical),
        wrap_reads=_switched(table.get("wrap_reads")),
        ask_scalers=_switched(table.get("ask_scalers")),
    )


def meter(place: Place | None) -> MeterTraits:
    """What such meters are, and where their money is.

    Args:
        place: where it stands; ``None``: the profile does not say.

    Raises:
        ProfileError: a fault; the message has file, line and remedy.

    """
    usual = MeterTraits()
    if place is None:
        return usual
    table = place.table((), [field.name for field in fields(MeterTraits)])
    basic_a = _whole(table.get("basic_current_a"), 1, AMPERES_MAX, otherwise=usual.basic_current_a)
    relay = _one_of(table.get("relay"), RELAYS, usual.relay)
    cost_control = _one_of(table.get("cost_control"), COST_CONTROLS, usual.cost_control)
    if cost_control != "none" and relay == "none":
        raise table["cost_control"].error(
            f"{cost_control} needs a relay; write none, or name the relay",
            f"{cost_control} 需要继电器:请写 none,或写明继电器",
        )
    return MeterTraits(
        phases=cast(Phases, int(_one_of(table.get("phases"), [str(n) for n in PHASES], str(usual.phases)))),
        connection=cast(Connection, _one_of(table.get("connection"), CONNECTIONS, usual.connection)),
        voltage_v=_whole(table.get("voltage_v"), 1, VOLTS_MAX, otherwise=usual.voltage_v),
        basic_current_a=basic_a,
        max_current_a=_whole(
            table.get("max_current_a"), basic_a, AMPERES_MAX, otherwise=max(basic_a, usual.max_current_a)
        ),
        tariffs=_whole(table.get("tariffs"), 1, TARIFFS_MAX, otherwise=usual.tariffs),
        relay=cast(Relay, relay),
        cost_control=cast(CostControl, cost_control),
    )


def control(place: Place | None, protocol: Spoken) -> ControlTraits:
    """What is known of orders to such meters.

    Args:
        place: where it stands; ``None``: the profile does not say.
        protocol: what such meters speak.

    Raises:
        ProfileError: a fault; the message has file, line and remedy.

    """
    if place is None:
        return ControlTraits()
    table = place.table((), (_PLAINTEXT, _NO_EXPIRY, *_ENCIPHERED_645, *FACTS))
    if _NO_EXPIRY in table:
        raise table[_NO_EXPIRY].error(
            "an order without a time of validity could be obeyed hours later, and is never sent; leave it "
            "out",
            "没有有效时间的命令可能在数小时后才被执行,因此从不发送:请去掉该键",
        )
    for key in _ENCIPHERED_645:
        if key in table and protocol == DLT698:
            raise table[key].error(
                f"{protocol} has one form of enciphered orders; leave the key out",
                f"{protocol} 的加密命令只有一种形式,请去掉该键",
            )
    said = {key: table[key].one_of((*fact.values, UNKNOWN)) for key, fact in FACTS.items() if key in table}
    return ControlTraits(
        allow_plaintext_control=_switched(table.get(_PLAINTEXT)),
        asks_words=_switched(table.get(_WORDS)),
        cipher_block=cast(CipherBlock, _one_of(table.get(_BLOCK), CIPHER_BLOCKS, "whole")),
        known=tuple((key, value) for key, value in said.items() if value != UNKNOWN),
    )


def memory(place: Place | None, protocol: Spoken) -> MemoryTraits:
    """What such meters keep.

    Args:
        place: where it stands; ``None``: the profile does not say.
        protocol: what such meters speak.

    Raises:
        ProfileError: a fault; the message has file, line and remedy.

    """
    usual = MEMORY[protocol]
    if place is None:
        return usual
    keys = [field.name for field in fields(MemoryTraits) if field.name != "sure"]
    table = place.table((), keys)
    limits = MEMORY_LIMITS[protocol]
    minutes = table.pop("curve_every_min", None)
    return replace(
        usual,
        **{key: one.whole(0, limits.get(key, MEMORY_MAX)) for key, one in table.items()},
        curve_every_min=_whole(minutes, 1, 1_440, otherwise=usual.curve_every_min),
        sure=frozenset(table) | ({"curve_every_min"} if minutes else set()),
    )


def reads(place: Place | None) -> ReadTraits:
    """How much such meters are asked for at once.

    Args:
        place: where it stands; ``None``: the profile does not say.

    Raises:
        ProfileError: a fault; the message has file, line and remedy.

    """
    usual = ReadTraits()
    if place is None:
        return usual
    table = place.table((), ("together",))
    return ReadTraits(together=_whole(table.get("together"), 1, TOGETHER_MAX, otherwise=usual.together))


def _one_of(place: Place | None, choices: Sequence[str], otherwise: str) -> str:
    return otherwise if place is None else place.one_of(choices)


def _switched(place: Place | None) -> bool:
    return place is not None and place.one_of(("true", "false")) == "true"
