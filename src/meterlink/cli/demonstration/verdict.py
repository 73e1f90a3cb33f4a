"""Whether what came out at the far end is what the simulated meters said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from meterlink.cli.demonstration.stations import Files, Key, Simulator, Station, field_name


@dataclass(frozen=True, slots=True)
class Verdict:
    """How far the demonstration has come.

    Args:
        through: meters of which a whole slot has come out right at every station.
        missing: meters of which none has yet.
        wrong: readings that differ from what the simulator said, in words.

    """

    through: tuple[str, ...]
    missing: tuple[str, ...]
    wrong: tuple[str, ...]


def judge(
    meters: Sequence[str],
    items: Sequence[str],
    simulator: Simulator,
    on_the_way: Sequence[Station],
    files: Files,
) -> Verdict:
    """Compare every point at the far end with the simulator's list and with the stations before it.

    Args:
        meters: ids of all simulated meters.
        items: what one slot of a meter holds.
        simulator: what was answered.
        on_the_way: journal and MQTT.
        files: the far end.

    """
    wrong: list[str] = []
    whole: dict[str, bool] = {}
    fields = {field_name(item): item for item in items}
    slots: dict[tuple[str, object], set[str]] = {}
    for seen in files:
        if seen.item not in fields:
            continue
        key = Key(seen.meter, seen.slot, fields[seen.item])
        value, reported = files.value(seen), simulator.reported(key)
        if value not in reported:
            wrong.append(f"{_name(key)}: files have {value}, the simulator reported {_texts(reported)}")
            continue
        differing = [s for s in on_the_way if (there := s.value(key)) is not None and there != value]
        wrong += [f"{_name(key)}: files have {value}, {s.name} has {s.value(key)}" for s in differing]
        if all(station.value(key) == value for station in on_the_way):
            slots.setdefault((key.meter, key.slot), set()).add(key.item)
    for (meter, _), done in slots.items():
        whole[meter] = whole.get(meter, False) or done == set(items)
    through = tuple(meter for meter in meters if whole.get(meter))
    return Verdict(through, tuple(meter for meter in meters if meter not in through), tuple(wrong))


def _name(key: Key) -> str:
    return f"{key.meter} {key.item} {key.slot.isoformat()}"


def _texts(values: set[Decimal]) -> str:
    return ", ".join(sorted(map(str, values))) or "nothing"
