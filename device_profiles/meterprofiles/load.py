"""Profiles out of YAML, checked as a whole, and the one that serves a meter."""

from __future__ import annotations

import fnmatch
import functools
from collections.abc import Sequence
from importlib import resources
from typing import cast

from meterprofiles.places import Place, compose
from meterprofiles.schema import (
    BAUD_RATES,
    PARITIES,
    PROTOCOLS,
    QUIRK_KINDS,
    QUIRKS_MAX,
    LineTraits,
    Parity,
    Profile,
    ProfileError,
    Quirk,
    QuirkKind,
    Timing,
)
from meterwire.dlt645.functions import Edition
from meterwire.dlt645.items import dictionary


def load_profile(text: str, file: str) -> Profile:
    """Read one profile.

    Args:
        text: YAML.
        file: how errors call it.

    Raises:
        ProfileError: a fault; the message has file, line and remedy.

    """
    root = compose(text, file)
    table = root.table(("profile", "matches", "line", "timing"), ("quirks",))
    matches = table["matches"].table(("protocol",), ("model",))
    protocol = cast(Edition, matches["protocol"].one_of(PROTOCOLS))
    quirks = table["quirks"].rows(QUIRKS_MAX) if "quirks" in table else ()
    return Profile(
        name=table["profile"].text(),
        protocol=protocol,
        model=matches["model"].text() if "model" in matches else "",
        line=_line(table["line"]),
        timing=_timing(table["timing"]),
        quirks=tuple(_quirk(place, protocol) for place in quirks),
    )


class Profiles:
    """Profiles that stand together.

    Args:
        profiles: no two of one name, and for each protocol at most one without a model.

    Raises:
        ProfileError: two have one name, or two serve every model of one protocol.

    """

    def __init__(self, profiles: Sequence[Profile]) -> None:
        self.all = tuple(profiles)
        seen: dict[str, Profile] = {}
        for profile in self.all:
            if profile.name in seen:
                raise ProfileError(f"two profiles are called {profile.name}")
            general = [other.name for other in seen.values() if other.protocol == profile.protocol]
            general = [name for name in general if not (seen[name].model or profile.model)]
            if general:
                raise ProfileError(
                    f"{general[0]} and {profile.name} both serve every {profile.protocol} meter"
                )
            seen[profile.name] = profile

    def find(self, protocol: str, model: str = "") -> Profile:
        """The profile that serves a meter.

        Args:
            protocol: what it speaks.
            model: its model's name; empty where nobody knows.

        Raises:
            ProfileError: none serves it, or several name its model.

        """
        own = [profile for profile in self.all if profile.protocol == protocol]
        named = [profile for profile in own if profile.model and fnmatch.fnmatchcase(model, profile.model)]
        if len(named) > 1:
            names = " and ".join(profile.name for profile in named)
            raise ProfileError(f"{names} both match model {model!r}; make their patterns narrower")
        found = named or [profile for profile in own if not profile.model]
        if not found:
            raise ProfileError(f"no profile serves {protocol} {model}".rstrip())
        return found[0]


@functools.cache
def packaged() -> Profiles:
    """The profiles that come with the program."""
    folder = resources.files("meterprofiles").joinpath("dlt645")
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".yaml")), key=lambda f: f.name)
    return Profiles([load_profile(file.read_text(encoding="utf-8"), file.name) for file in files])


def generic(protocol: str) -> Profile:
    """The profile of a meter of which nothing but the protocol is known.

    Raises:
        ProfileError: there is none.

    """
    return packaged().find(protocol)


def _line(place: Place) -> LineTraits:
    table = place.table(("baud", "parity", "preamble"))
    return LineTraits(
        baud=int(table["baud"].one_of([str(rate) for rate in BAUD_RATES])),
        parity=cast(Parity, table["parity"].one_of(PARITIES)),
        preamble=table["preamble"].whole(0, 16),
    )


def _timing(place: Place) -> Timing:
    table = place.table(("reply_timeout_ms", "octet_gap_ms", "turnaround_ms"))
    return Timing(
        reply_timeout_ms=table["reply_timeout_ms"].whole(50, 120_000),
        octet_gap_ms=table["octet_gap_ms"].whole(10, 10_000),
        turnaround_ms=table["turnaround_ms"].whole(0, 5_000),
    )


def _quirk(place: Place, protocol: Edition) -> Quirk:
    table = place.table(("kind", "item", "evidence"))
    item = table["item"].text()
    quantities = {row.name.partition("@")[0].partition(".")[0] for row in dictionary(protocol).rows}
    if item not in quantities:
        raise table["item"].error(f"{protocol} has no quantity {item!r} (`meterlink items` lists all)")
    kind = cast(QuirkKind, table["kind"].one_of(QUIRK_KINDS))
    return Quirk(kind=kind, item=item, evidence=table["evidence"].text())
