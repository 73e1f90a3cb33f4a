"""Whatever a test gives for a plant in, a `Plant` out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final, Literal

import yaml

from meterprofiles import chosen, packaged
from metersim.line.item_patterns import near
from metersim.plant.at import At
from metersim.plant.figures import Figures
from metersim.plant.plant import Plant, load_plant, read_plant

Source = Plant | Path | str | Mapping[str, object]
"""A plant, its file, its YAML text, or the same as a mapping."""
Over = Literal["tcp", "pty"]
"""How lines are reached: by any free port of loopback, or by pseudo-terminals."""

_PLACES: Final[Mapping[Over, At]] = {"tcp": At(), "pty": At(kind="pty")}


class _Dumper(yaml.SafeDumper):
    """Writes numbers and paths that YAML does not know as their text, which the reader of plants takes."""


_Dumper.add_multi_representer(object, lambda dumper, value: dumper.represent_str(str(value)))


def check_keys(given: Iterable[str], kind: type, *, without: Sequence[str] = ()) -> None:
    """Refuse keywords that a kind of thing has not.

    Args:
        given: the keywords.
        kind: a dataclass.
        without: keys of it that are said in another way.

    Raises:
        TypeError: there is one; the message has those that there are.

    """
    known = [field.name for field in fields(kind) if field.name not in without]
    for key in given:
        if key not in known:
            raise TypeError(
                f"{key!r}: no figure is called so{near(key, known)}; there are {', '.join(known)}"
            )


def plant_from(source: Source | None, figures: Mapping[str, Any], *, folder: Path) -> Plant:
    """The plant that a test means.

    Args:
        source: what it gave; a text without a colon is the name of a file; ``None``: figures alone.
        figures: keywords of `metersim.plant.figures.Figures`, e.g. ``meters=8``.
        folder: where files stand that have no folder of their own.

    Raises:
        PlantError: the file, text or mapping is wrong; the message has each fault.
        ProfileError: a profile of the figures is not there.
        TypeError: an unknown figure, or figures beside a source.
        ValueError: a figure out of its range.

    """
    if source is None:
        return _from_figures(figures)
    if figures:
        raise TypeError(f"{', '.join(figures)}: the plant says it; figures go without one")
    if isinstance(source, Plant):
        return source
    if isinstance(source, Mapping):
        text = yaml.dump(dict(source), Dumper=_Dumper, sort_keys=False, allow_unicode=True)
        return read_plant(text, "plant", folder=folder)
    if isinstance(source, Path) or ":" not in source:
        return load_plant(folder / source)
    return read_plant(source, "plant", folder=folder)


def placed(plant: Plant, over: Over | None) -> Plant:
    """The same plant with every line reached in one way.

    Args:
        plant: the plant.
        over: which; ``None``: as the plant says.

    Raises:
        ValueError: there is no such way, or a line cannot be reached so.

    """
    if over is None:
        return plant
    if over not in _PLACES:
        raise ValueError(f"over {over!r}: write tcp or pty, or leave it out")
    return replace(plant, lines=tuple(replace(line, at=_PLACES[over]) for line in plant.lines))


def _from_figures(figures: Mapping[str, Any]) -> Plant:
    check_keys(figures, Figures)
    profile = figures.get("profile")
    if isinstance(profile, str):
        figures = {**figures, "profile": chosen(profile, packaged())}
    return Figures(**figures).plant()
