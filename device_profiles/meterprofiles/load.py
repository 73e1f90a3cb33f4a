"""Profiles out of YAML, checked as a whole, and the one that serves a meter."""

from __future__ import annotations

import fnmatch
import functools
import itertools
from collections.abc import Sequence
from dataclasses import fields, replace
from importlib import resources
from pathlib import Path
from typing import Final, cast

from meterprofiles.facts import FACTS, UNKNOWN
from meterprofiles.patterns import overlap
from meterprofiles.places import TEXT_MAX, Place, compose
from meterprofiles.register_rows import register_map
from meterprofiles.schema import (
    ALL_PROTOCOLS,
    BAUD_RATES,
    CIPHER_BLOCKS,
    CONNECTIONS,
    CONNECTS,
    COST_CONTROLS,
    DLT698,
    MEMORY,
    MEMORY_LIMITS,
    MEMORY_MAX,
    MODBUS,
    PARITIES,
    PHASES,
    PREAMBLE_MAX,
    QUIRK_KINDS,
    QUIRKS_MAX,
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
    Profile,
    ProfileError,
    Quirk,
    QuirkKind,
    ReadTraits,
    Relay,
    Spoken,
    Timing,
)
from meterprofiles.yaml_text import text_of
from meterwire.dlt645.items.dialects import Choices, choices, dialects, switches
from meterwire.dlt645.items.dialects import table as identifiers
from meterwire.dlt645.items.dictionary import dictionary
from meterwire.dlt645.items.overlays import signed
from meterwire.dlt645.link.functions import Edition
from meterwire.errors import LocalProtocolError

FILES_MAX: Final = 1_000
"""Most profiles of a users' folder."""
REPLY_DELAY_MS_MAX: Final = 60_000
VOLTS_MAX: Final = 1_000
AMPERES_MAX: Final = 1_000
_PLAINTEXT: Final = "allow_plaintext_control"
_WORDS: Final = "asks_words"
_BLOCK: Final = "cipher_block"
_NO_EXPIRY: Final = "no_expiry"
_ENCIPHERED_645: Final = (_WORDS, _BLOCK)
"""Of enciphered orders of DL/T 645; the other protocol has one form of them."""


def load_profile(text: str, file: str, *, is_ours: bool = False) -> Profile:
    """Read one profile.

    Args:
        text: YAML.
        file: how errors call it.
        is_ours: it came with the program.

    Raises:
        ProfileError: a fault; the message has file, line and remedy.

    """
    root = compose(text, file, is_ours=is_ours)
    table = root.table(
        ("profile", "matches", "line", "timing"),
        ("dialect", "layout", "quirks", "association", "meter", "control", "memory", "reads", "registers"),
    )
    matches = table["matches"].table(("protocol",), ("model",))
    protocol = cast(Spoken, matches["protocol"].one_of(ALL_PROTOCOLS))
    profile = Profile(
        name=table["profile"].text(),
        protocol=protocol,
        model=matches["model"].text() if "model" in matches else "",
        line=_line(table["line"]),
        timing=_timing(table["timing"]),
        meter=_meter(table.get("meter")),
        control=_control(table.get("control"), protocol),
        memory=_memory(table.get("memory"), protocol),
        reads=_reads(table.get("reads")),
        file=file,
    )
    if protocol in MODBUS:
        _refuse(table, ("dialect", "layout", "quirks", "association", "control"), protocol)
        if "registers" not in table:
            raise root.error(f"the key 'registers' is missing: {protocol} does not say what a register means")
        return replace(profile, registers=register_map(table["registers"]))
    _refuse(table, ("registers",), protocol)
    if protocol == DLT698:
        _refuse(table, ("dialect", "layout", "quirks"), protocol)
        return replace(profile, association=_association(table.get("association")))
    _refuse(table, ("association",), protocol)
    edition = profile.edition
    dialect_name = _dialect(table.get("dialect"), edition)
    quirks = table["quirks"].rows(QUIRKS_MAX) if "quirks" in table else ()
    return replace(
        profile,
        dialect=dialect_name,
        layout=_layout(table["layout"], edition, dialect_name) if "layout" in table else (),
        quirks=tuple(_quirk(place, edition, dialect_name) for place in quirks),
    )


class Profiles:
    """Profiles that stand together.

    Args:
        profiles: no two of one name, and none that serve the same model of one protocol.

    Raises:
        ProfileError: two have one name, or some model could be served by two.

    """

    def __init__(self, profiles: Sequence[Profile]) -> None:
        self.all = tuple(profiles)
        for one, other in itertools.combinations(self.all, 2):
            if sentence := _clash(one, other):
                where = f"{other.file}: " if other.file else ""
                raise ProfileError(f"{where}{sentence} (the other: {one.file or one.name})")

    def find(self, protocol: str, model: str = "") -> Profile:
        """The profile that serves a meter.

        Args:
            protocol: what it speaks.
            model: its model's name; empty where nobody knows.

        Raises:
            ProfileError: none serves it.

        """
        own = [_in_frames_of(protocol, profile) for profile in self.all]
        own = [profile for profile in own if profile.protocol == protocol]
        exact = [profile for profile in own if profile.model == model and _is_name(profile.model)]
        named = [profile for profile in own if profile.model and fnmatch.fnmatchcase(model, profile.model)]
        found = exact or named or [profile for profile in own if not profile.model]
        if not found:
            raise ProfileError(f"no profile serves {protocol} {model}".rstrip())
        return found[0]

    def named(self, name: str) -> Profile:
        """The profile of that name.

        Raises:
            ProfileError: there is none.

        """
        for profile in self.all:
            if profile.name == name:
                return profile
        names = ", ".join(profile.name for profile in self.all)
        raise ProfileError(f"no profile is called {name!r}; there is {names}, or the path of a .yaml file")


def _in_frames_of(protocol: str, profile: Profile) -> Profile:
    """The same model, in the other frames of Modbus where those are asked for."""
    if profile.protocol != protocol and profile.protocol in MODBUS and protocol in MODBUS:
        return replace(profile, protocol=protocol)
    return profile


def _clash(one: Profile, other: Profile) -> str:
    """Why two profiles cannot stand together; empty when they can."""
    names = f"{one.name} and {other.name}"
    if one.name == other.name:
        return f"two profiles are called {one.name}; give this one another name"
    if one.protocol != _in_frames_of(one.protocol, other).protocol or bool(one.model) != bool(other.model):
        return ""
    if _is_name(one.model) != _is_name(other.model):  # the name wins over the pattern
        return ""
    if not one.model:
        return f"{names} both serve every {one.protocol} meter; give one of them a model"
    if overlap(one.model, other.model):
        return f"{names} could both serve a model, by {one.model!r} and {other.model!r}; make them narrower"
    return ""


def _is_name(model: str) -> bool:
    """Whether it names one model, and is no pattern."""
    return bool(model) and not any(sign in model for sign in "*?[")


@functools.cache
def packaged() -> Profiles:
    """The profiles that come with the program."""
    folders = sorted(
        (folder for folder in resources.files("meterprofiles").iterdir() if folder.is_dir()),
        key=lambda folder: folder.name,
    )
    files = [file for folder in folders for file in sorted(folder.iterdir(), key=lambda file: file.name)]
    texts = {file.name: file.read_text(encoding="utf-8") for file in files if file.name.endswith(".yaml")}
    return Profiles([load_profile(text, name, is_ours=True) for name, text in texts.items()])


def with_folder(folder: Path | None) -> Profiles:
    """The profiles that come with the program, and those of a folder of users' own.

    Args:
        folder: of ``.yaml`` files, 1,000 at most; ``None``: none.

    Raises:
        ProfileError: it cannot be read, a file in it is wrong, or two profiles claim one meter.

    """
    if folder is None:
        return packaged()
    try:
        files = sorted(folder.glob("*.yaml")) if folder.is_dir() else None
    except OSError as error:
        raise ProfileError(f"{folder}: {error.strerror}") from None
    if files is None:
        raise ProfileError(f"{folder}: is no folder; name the one that holds the profiles")
    if len(files) > FILES_MAX:
        raise ProfileError(f"{folder}: {len(files)} profiles, at most {FILES_MAX} are taken")
    return Profiles([*packaged().all, *map(load_file, files)])


def load_file(file: Path) -> Profile:
    """Read one profile from a file.

    Raises:
        ProfileError: it cannot be read, or is wrong.

    """
    text = text_of(file, text_max=TEXT_MAX, fault=ProfileError)
    return load_profile(text, str(file))


def chosen(text: str, profiles: Profiles) -> Profile:
    """The profile that a person names on a command line.

    Args:
        text: its name, or the path of a ``.yaml`` file.
        profiles: where names are looked up.

    Raises:
        ProfileError: there is none.

    """
    return load_file(Path(text)) if text.endswith(".yaml") else profiles.named(text)


def generic(protocol: str) -> Profile:
    """The profile of a meter of which nothing but the protocol is known.

    Raises:
        ProfileError: there is none.

    """
    return packaged().find(protocol)


def _line(place: Place) -> LineTraits:
    table = place.table(("baud", "parity", "preamble"), ("answer_preamble",))
    return LineTraits(
        baud=int(table["baud"].one_of([str(rate) for rate in BAUD_RATES])),
        parity=cast(Parity, table["parity"].one_of(PARITIES)),
        preamble=table["preamble"].whole(0, PREAMBLE_MAX),
        answer_preamble=_whole(table.get("answer_preamble"), 0, PREAMBLE_MAX, otherwise=0),
    )


def _timing(place: Place) -> Timing:
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


def _refuse(table: dict[str, Place], keys: tuple[str, ...], protocol: Spoken) -> None:
    """Refuse what a profile of this protocol cannot say."""
    for key in keys:
        if key in table:
            raise table[key].error(f"{protocol} has no {key}; leave the key out")


def _association(place: Place | None) -> AssociationTraits:
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


def _meter(place: Place | None) -> MeterTraits:
    usual = MeterTraits()
    if place is None:
        return usual
    table = place.table((), [field.name for field in fields(MeterTraits)])
    basic_a = _whole(table.get("basic_current_a"), 1, AMPERES_MAX, otherwise=usual.basic_current_a)
    relay = _one_of(table.get("relay"), RELAYS, usual.relay)
    cost_control = _one_of(table.get("cost_control"), COST_CONTROLS, usual.cost_control)
    if cost_control != "none" and relay == "none":
        raise table["cost_control"].error(f"{cost_control} needs a relay; write none, or name the relay")
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


def _control(place: Place | None, protocol: Spoken) -> ControlTraits:
    if place is None:
        return ControlTraits()
    table = place.table((), (_PLAINTEXT, _NO_EXPIRY, *_ENCIPHERED_645, *FACTS))
    if _NO_EXPIRY in table:
        raise table[_NO_EXPIRY].error(
            "an order without a time of validity could be obeyed hours later, and is never sent; leave it out"
        )
    for key in _ENCIPHERED_645:
        if key in table and protocol == DLT698:
            raise table[key].error(f"{protocol} has one form of enciphered orders; leave the key out")
    said = {key: table[key].one_of((*fact.values, UNKNOWN)) for key, fact in FACTS.items() if key in table}
    return ControlTraits(
        allow_plaintext_control=_switched(table.get(_PLAINTEXT)),
        asks_words=_switched(table.get(_WORDS)),
        cipher_block=cast(CipherBlock, _one_of(table.get(_BLOCK), CIPHER_BLOCKS, "whole")),
        known=tuple((key, value) for key, value in said.items() if value != UNKNOWN),
    )


def _memory(place: Place | None, protocol: Spoken) -> MemoryTraits:
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


def _reads(place: Place | None) -> ReadTraits:
    usual = ReadTraits()
    if place is None:
        return usual
    table = place.table((), ("together",))
    return ReadTraits(together=_whole(table.get("together"), 1, TOGETHER_MAX, otherwise=usual.together))


def _one_of(place: Place | None, choices: Sequence[str], otherwise: str) -> str:
    return otherwise if place is None else place.one_of(choices)


def _switched(place: Place | None) -> bool:
    return place is not None and place.one_of(("true", "false")) == "true"


def _dialect(place: Place | None, protocol: Edition) -> str:
    return place.one_of([one.name for one in dialects() if one.edition == protocol]) if place else ""


def _layout(place: Place, protocol: Edition, dialect_name: str) -> Choices:
    known = switches(protocol)
    if not known:
        raise place.error(f"{protocol} has no switches; leave the key out")
    table = place.table((), tuple(known))
    for name, value in table.items():
        value.one_of([one.name for one in known[name].values])
    layout = choices(protocol, {name: value.text() for name, value in table.items()})
    try:
        dictionary(protocol, dialect_name, layout)
    except LocalProtocolError as error:
        raise place.error(f"does not go with the dialect {dialect_name}: {error}") from None
    return layout


def _quirk(place: Place, protocol: Edition, dialect_name: str) -> Quirk:
    table = place.table(("kind", "item", "evidence"))
    item = table["item"].text()
    rows = identifiers(protocol, dialect_name)
    names = (name for row in rows for name in row["name"].split("|"))
    if item not in {name.partition("@")[0].partition(".")[0] for name in names}:
        raise table["item"].error(f"{protocol} has no quantity {item!r} (`meterlink items` lists all)")
    kind = cast(QuirkKind, table["kind"].one_of(QUIRK_KINDS))
    if kind == "signed_value" and signed(rows, frozenset({item})) == rows:
        raise table["item"].error(f"{item} has a sign already, or is no number; leave the quirk out")
    return Quirk(kind=kind, item=item, evidence=table["evidence"].text())
