"""Which drivers a program imports, and when."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

_ASKED = """
import contextlib, json, random, sys
from meterlink.cli import read_once
from meterlink.clock import SystemClock
from meterlink.drivers import choose
from meterlink.errors import NoControl
from meterprofiles import packaged

clock, random_octets, there = SystemClock(), random.randbytes, lambda: set(sys.modules)
profiles = packaged().all
profile = next(one for one in profiles if one.protocol == sys.argv[1])
choose.driver_for(profile, clock, random_octets=random_octets)
asked = [name for name in there() if name.startswith("meterlink.drivers.") and name.endswith(".driver")]
choose.import_all()
before = there()
for one in profiles:
    choose.driver_for(one, clock, random_octets=random_octets)
    with contextlib.suppress(NoControl):
        choose.control_driver_for(one, clock, random_octets=random_octets)
print(json.dumps([asked, sorted(there() - before)]))
"""


@pytest.mark.parametrize(("protocol", "room"), [("dlt645-2007", "dlt645"), ("dlt698.45", "dlt698")])
def test_a_meter_costs_the_tables_of_its_own_protocol(protocol: str, room: str) -> None:
    """A command would take the time of all protocols, or a daemon would stand still for its first meter."""
    command = [sys.executable, "-c", _ASKED, protocol]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=15).stdout
    asked, later = json.loads(said)
    assert [f"meterlink.drivers.{room}.driver"] == asked
    assert [] == later
