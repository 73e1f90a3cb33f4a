"""A process that is really killed while it seals: the next one finds no seal, or a whole one."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from meterlink.billing.verify import verified
from meterlink.model.act import Topic
from tests.support.billing import FIRST_DAY, TOTAL, plant
from tests.support.project import ROOT

_SEALER = """
import asyncio, os, signal, sys
from pathlib import Path
from meterlink.billing.disk import RealDisk
from tests.support.billing import FIRST_DAY, plant

class Killed(RealDisk):
    def rename(self, old, new):
        if sys.argv[2] == "after":
            super().rename(old, new)
        os.kill(os.getpid(), signal.SIGKILL)

async def seal():
    async with plant(Path(sys.argv[1])) as at:
        at.after(FIRST_DAY)
        await at.settler(formats=("csv",), disk=Killed()).settle(FIRST_DAY, "")

asyncio.run(seal())
"""


@pytest.mark.parametrize(("when", "seals"), [("before", 0), ("after", 1)])
def test_a_killed_process_leaves_no_seal_or_a_whole_one(tmp_path: Path, when: str, seals: int) -> None:
    """What no exception can show: buffers that were never written, a lock that was never given back."""

    async def begin() -> None:
        async with plant(tmp_path) as at:
            await at.put(1)
            await at.keep("m1", FIRST_DAY, {TOTAL: "1.00"})

    async def go_on() -> None:
        async with plant(tmp_path) as at:
            at.after(FIRST_DAY)
            assert seals == len(at.settlements().list())
            settler = at.settler(formats=("csv",))
            assert seals == await settler.make_up()
            assert (seals == 0) == ((await settler.settle(FIRST_DAY, "")).manifest is not None)
            found = verified(tmp_path / "settlements", [at.key.public_hex], lambda done, of: None)
            assert (1, ()) == (len(found.sealed), tuple(found.faults))
            assert 1 == len(await at.journal.acts.of_subject(Topic.SETTLEMENT, f"{FIRST_DAY}/"))

    asyncio.run(begin())
    command = [sys.executable, "-c", _SEALER, str(tmp_path), when]
    assert -signal.SIGKILL == subprocess.run(command, cwd=ROOT, check=False).returncode
    asyncio.run(go_on())
