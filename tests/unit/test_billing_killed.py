"""A process that is really killed at each step of sealing: the next one finds no seal, or a whole one."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

from meterlink.billing.verify import verified
from meterlink.model.act import Topic
from tests.support.billing import FIRST_DAY, TOTAL, plant
from tests.support.project import ROOT

_STEPS = 19
"""What sealing does to the disk with one format, and the act before and behind."""
_SEALER = """
import asyncio, json, os, signal, sys
from pathlib import Path
from meterlink.billing.disk import RealDisk
from meterlink.journal.acts import ActLog
from tests.support.billing import FIRST_DAY, plant

OPERATIONS = ("make_folder", "create", "sync", "sync_folder", "rename", "remove")

class Steps:
    def __init__(self, killed_at):
        self.left = killed_at

    def take(self):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

class Killed(RealDisk):
    def __init__(self, steps):
        self.steps = steps

    def __getattribute__(self, name):
        if name in OPERATIONS:
            self.steps.take()
        return super().__getattribute__(name)

async def seal(folder, step):
    steps, append = Steps(step), ActLog.append

    async def killed(self, act):
        steps.take()
        await append(self, act)
        steps.take()

    ActLog.append = killed
    async with plant(folder) as at:
        at.after(FIRST_DAY)
        await at.settler(formats=("csv",), disk=Killed(steps)).settle(FIRST_DAY, f"a{step}")

ended = []
for step in range(1, int(sys.argv[2]) + 1):
    child = os.fork()
    if not child:
        asyncio.run(seal(Path(sys.argv[1]), step))
        os._exit(0)
    ended.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print(json.dumps(ended))
"""


def test_a_process_killed_at_any_step_leaves_no_seal_or_a_whole_one(tmp_path: Path) -> None:
    """What no exception can show: buffers that were never written, a lock that was never given back."""
    steps = range(1, _STEPS + 2)

    async def begin() -> None:
        async with plant(tmp_path) as at:
            for step in steps:
                await at.put(step, area=f"a{step}")
                await at.keep(f"m{step}", FIRST_DAY, {TOTAL: "1.00"})

    async def go_on() -> list[int]:
        async with plant(tmp_path) as at:
            at.after(FIRST_DAY)
            left = [len(at.settlements().of(FIRST_DAY, f"a{step}")) for step in steps]
            settler = at.settler(formats=("csv",))
            assert 2 == await settler.make_up(), "killed behind the rename, and before the act"
            for step in steps:
                made = (await settler.settle(FIRST_DAY, f"a{step}")).manifest
                assert (made is None) == bool(left[step - 1])
            found = verified(tmp_path / "settlements", [at.key.public_hex], lambda done, of: None)
            assert (len(steps), ()) == (len(found.sealed), tuple(found.faults))
            acts = [await at.journal.acts.of_subject(Topic.SETTLEMENT, f"{FIRST_DAY}/a{n}") for n in steps]
            assert {1} == {len(one) for one in acts}
        return left

    asyncio.run(begin())
    command = [sys.executable, "-c", _SEALER, str(tmp_path), str(len(steps))]
    ran = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert [-9] * _STEPS + [0] == json.loads(ran.stdout), "each step was one, and there are no more"
    assert [0] * (_STEPS - 3) + [1] * 4 == asyncio.run(go_on())
