"""What simulated meters of DL/T 645 answer, by class of identifiers and kind of meter: asked of the meters."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Final

from meterprofiles import packaged
from metersim import Meter
from metersim.works.cost_control import LOCAL, PLAIN, REMOTE
from metersim.works.moments import INSTALLED_AT
from metersim.works.plate import Plate
from metersim.works.works import Works
from meterwire.dlt645 import ReadRequest, to_frame
from meterwire.dlt645.link.functions import EDITIONS

_ME: Final = "000000000161"
_AT: Final = INSTALLED_AT + timedelta(days=400, hours=5)
_CONTROLS: Final = {"none": PLAIN, "remote": REMOTE, "local": LOCAL}
_READ_BY_OTHERS: Final = "sw"
"""What is not read with a read: secrets are written, and security frames carry their own identifiers."""


def answered() -> str:
    """Families of identifiers that each kind of meter answers, of those that its dictionary has."""
    lines = ["| profile | class | families | answered |", "| --- | --- | ---: | ---: |"]
    for profile in (one for one in packaged().all if one.protocol in EDITIONS):
        plate = Plate(address=_ME, phases=profile.meter.phases)
        works = Works(plate, seed=1, control=_CONTROLS[profile.meter.cost_control])
        meter = Meter(_ME, seed=1, profile=profile, works=works)
        known: Counter[str] = Counter()
        said: Counter[str] = Counter()
        for row in profile.dictionary.rows:
            entry = row.entry(row.first)
            if entry.access in _READ_BY_OTHERS:
                continue
            group = row.pattern[:2] if profile.edition == "dlt645-2007" else row.pattern[:1]
            answer = meter.answer(to_frame(ReadRequest(address=_ME, di=entry.di), profile.edition), _AT)
            known[group] += 1
            said[group] += answer is not None and not answer.frame.abnormal
        lines += [
            f"| `{profile.name}` | `{group}` | {known[group]} | {said[group]} |" for group in sorted(known)
        ]
    return "\n".join(lines) + "\n"
