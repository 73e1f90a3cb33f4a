"""The reserve: what a full disk still takes, and from whom."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from meterlink.clock import SystemClock
from meterlink.errors import DiskFull
from meterlink.journal import reserve as reserves
from meterlink.journal.journal import Journal
from meterlink.journal.reserve import RESERVE_OCTETS, SLICE_OCTETS, Rank, Reserve
from tests.support import full_disk
from tests.support.acts import act
from tests.support.project import ROOT
from tests.support.records import record

_OWN_DISK = ["unshare", "--user", "--map-root-user", "--mount"]


def _can_mount(folder: Path) -> bool:
    if shutil.which("unshare") is None:
        return False
    script = f'mount -t tmpfs -o size=1m tmpfs "{folder}"'
    return subprocess.run([*_OWN_DISK, "sh", "-c", script], capture_output=True, check=False).returncode == 0


def test_a_full_disk_still_takes_acts(tmp_path: Path) -> None:
    """Nobody could be switched on again while the disk is full: what was not kept is not sent."""
    if not _can_mount(tmp_path):
        pytest.skip("this machine lets nobody mount a small file system of his own")
    mount = f'mount -t tmpfs -o size={full_disk.DISK_OCTETS} tmpfs "$0"'
    script = f'{mount} && exec "$1" -m tests.support.full_disk "$0"'
    done = subprocess.run(
        [*_OWN_DISK, "sh", "-c", script, str(tmp_path), sys.executable],
        capture_output=True, text=True, check=False, cwd=ROOT, timeout=19,
    )  # fmt: skip
    assert 0 == done.returncode, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])  # the log stands before it
    assert 0 < seen["instants"]
    assert 0 < seen["freezes_after_instants"], "values of the moment were to go first"
    assert full_disk.RESERVE_OCTETS - SLICE_OCTETS == seen["reserve_when_used"]
    assert 0 == seen["freezes_when_used"], "a reading took what is kept for acts"
    assert seen["acts_of_the_reserve"] * full_disk.ACT_OCTETS > full_disk.RESERVE_OCTETS / 2
    assert 0 == seen["reserve_at_the_end"], "acts were refused while there was a reserve"
    assert 1 == seen["freezes_with_room"]
    assert full_disk.RESERVE_OCTETS == seen["reserve_with_room"]
    assert seen["acts_appended"] == seen["acts_in_the_chain"]


def test_the_reserve_is_made_once_and_given_in_slices(tmp_path: Path) -> None:
    """All at once, another program would have it before the act in hand."""
    path = tmp_path / "reserve"
    reserve = Reserve(path, tight_octets=0)
    assert Rank.OFTEN is reserve.least_rank()
    assert RESERVE_OCTETS == path.stat().st_size <= path.stat().st_blocks * 512
    assert 0o600 == path.stat().st_mode & 0o777
    made = path.stat().st_mtime_ns
    assert Rank.OFTEN is Reserve(path, tight_octets=0).least_rank()
    assert made == path.stat().st_mtime_ns
    slices = RESERVE_OCTETS // SLICE_OCTETS
    assert [True] * slices + [False] == [reserve.give() for _ in range(slices + 1)]
    assert 0 == path.stat().st_size
    assert Rank.OFTEN is reserve.least_rank(), "there is room: it is made again"
    assert RESERVE_OCTETS == path.stat().st_size


def test_holes_are_no_reserve(tmp_path: Path) -> None:
    """A copied file of holes would promise room that the disk does not have."""
    path = tmp_path / "reserve"
    path.touch()
    os.truncate(path, RESERVE_OCTETS)
    assert Rank.OFTEN is Reserve(path, tight_octets=0).least_rank()
    assert RESERVE_OCTETS <= path.stat().st_blocks * 512


@pytest.mark.parametrize(
    ("free", "least"),
    [
        (2 * RESERVE_OCTETS - 1, Rank.STATE),
        (2 * RESERVE_OCTETS, Rank.READING),
        (reserves.TIGHT_OCTETS - 1, Rank.READING),
        (reserves.TIGHT_OCTETS, Rank.OFTEN),
    ],
)
def test_what_may_be_kept_with_so_much_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, least: Rank
) -> None:
    """Too early, readings are lost for nothing; too late, there is no room for a reconnection."""
    disk = os.statvfs(tmp_path)
    fields = list(disk)
    fields[1], fields[4] = 1, free  # the size of a fragment, and how many of them are free

    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result(fields))
    assert least is Reserve(tmp_path / "reserve").least_rank()


def test_a_folder_that_is_gone_is_no_room(tmp_path: Path) -> None:
    """The writer would end with an error that is not the journal's."""
    reserve = Reserve(tmp_path / "nowhere" / "reserve")
    assert Rank.STATE is reserve.least_rank()
    assert not reserve.give()


@pytest.mark.asyncio
async def test_in_one_group_each_gets_its_own_answer(tmp_path: Path) -> None:
    """A reading that was refused would be taken for kept, or an act that was kept for refused."""

    class Spent(Reserve):
        def least_rank(self, unused: Callable[[], int] = lambda: 0) -> Rank:
            return Rank.STATE

    journal = Journal.open(tmp_path / "j.db", clock=SystemClock(), put_aside=Spent(tmp_path / "reserve"))
    async with journal:
        done = await asyncio.gather(
            journal.keep(record(1)),
            journal.acts.append(act()),
            journal.sinks.advance("mqtt", 0),
            journal.keep(record(2, data_class="daily_freeze")),
            journal.acts.append(act(2)),
            return_exceptions=True,
        )
        assert [DiskFull, int, None.__class__, DiskFull, int] == [each.__class__ for each in done]
        assert [1, 2] == [done[1], done[4]]
        assert 2 == len(await journal.rows_after(0, 10))
