"""The tables of what can go wrong in a simulated plant."""

from __future__ import annotations

from collections.abc import Iterable

from metersim.line.fault_kinds import KINDS as FAULTS
from metersim.line.fault_kinds import Figure
from metersim.plant.happenings import KINDS as HAPPENINGS
from metersim.plant.scenario import packaged_scenarios

_PLACES = {"before": "before", "in_place": "in place", "around": "around"}
_ENDS = {"must": "needed", "may": "may be", "never": "-"}


def faults() -> str:
    """Every kind of fault, where it befalls, and its figure."""
    return _table(
        ("what", "where", "what it does", "figure"),
        (
            (f"`{name}`", _PLACES[kind.place], kind.says, _figure(kind.figure))
            for name, kind in FAULTS.items()
        ),
    )


def happenings() -> str:
    """Every kind of happening, its figures, and whether it lasts."""
    return _table(
        ("what", "what it does", "needs", "takes", "`lasts`"),
        (
            (f"`{name}`", kind.says, _keys(kind.needs), _keys(kind.takes), _ENDS[kind.lasting])
            for name, kind in HAPPENINGS.items()
        ),
    )


def scenarios() -> str:
    """Those that come with the program."""
    return _table(
        ("name", "what it is about"),
        ((f"`{name}`", scenario.says) for name, scenario in packaged_scenarios().items()),
    )


def _figure(figure: Figure | None) -> str:
    if figure is None:
        return "-"
    usual = "by chance" if figure.usual is None else str(figure.usual)
    return f"`{figure.key}` {figure.low} to {figure.high} ({usual})"


def _keys(keys: tuple[str, ...]) -> str:
    return ", ".join(f"`{key}`" for key in keys) or "-"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
