"""Faults that meet a service: the loop, the clock, the disk and the file of the journal, versions."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from meterlink.bus.work import STUCK_S, LineWork
from meterlink.clock import SystemClock
from meterlink.daemon.health import Health
from meterlink.daemon.monitor import LOOPBACK, Page, monitor
from meterlink.daemon.notify import ALIVE, Notifier
from meterlink.daemon.watchdog import watching
from meterlink.errors import JournalError
from meterlink.journal.housekeeping import Housekeeper, Policy
from meterlink.journal.journal import Journal
from meterlink.journal.migrations import steps
from meterlink.journal.reader import JournalReader
from meterlink.journal.removal import AGEING
from meterlink.journal.soundness import Part, faults
from meterlink.journal.store import Step, Store, explained
from meterlink.model.act import KeptAct
from meterlink.model.event import Event
from meterlink.model.reading import Record
from metersim.loop import Simulation
from tests.support.project import ROOT
from tests.support.records import EPOCH, record


class _Told(Notifier):
    """A watchdog that counts its meals."""

    def __init__(self, watchdog_s: float) -> None:
        super().__init__({})
        self.watchdog_s = watchdog_s
        self.fed = 0
        self.last = ""

    def tell(self, *lines: str) -> None:
        self.fed += ALIVE in lines
        self.last = lines[-1]


def _health(journal: Journal, folder: Path, lines: dict[str, LineWork]) -> Health:
    return Health(journal, folder, relay=lambda: None, lines=lambda: lines, clock=SystemClock())


def test_f24_a_loop_that_stands_still_feeds_nobody(tmp_path: Path) -> None:
    """F24: other threads that go on would keep a daemon alive whose loop hangs."""
    told, release, blocked = _Told(0.03), threading.Event(), threading.Event()

    def hang() -> None:
        blocked.set()
        assert release.wait(15)

    async def program() -> None:
        async with (
            Journal.open(tmp_path / "j.db", clock=SystemClock()) as journal,
            asyncio.TaskGroup() as group,
        ):
            feeding = group.create_task(watching(told, _health(journal, tmp_path, {})))
            while told.fed < 3:  # noqa: ASYNC110 (what is fed is no event)
                await asyncio.sleep(0.01)
            asyncio.get_running_loop().call_soon(hang)
            await asyncio.sleep(0)
            fed.append(told.fed)
            while told.fed <= fed[0]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            feeding.cancel()

    fed: list[int] = []
    thread = threading.Thread(target=asyncio.run, args=(program(),))
    thread.start()
    assert blocked.wait(15)
    before = told.fed
    assert not release.wait(0.3), "ten meals would have been due"
    assert before == told.fed
    release.set()
    thread.join(15)
    assert told.fed > before, "a loop that goes on is fed again"


@pytest.mark.parametrize("part", ["line", "journal"])
def test_f24_what_is_stuck_is_named_and_feeds_nobody(tmp_path: Path, part: str) -> None:
    """F24: a loop that turns while a line or the disk hangs would pass for a daemon that reads meters."""
    simulation = Simulation(start=EPOCH)
    told, work = _Told(30), LineWork()

    async def program() -> None:
        async with Journal.open(tmp_path / "j.db", clock=simulation.clock) as journal:
            now = asyncio.get_running_loop().time
            held = work.in_hand(now()) if part == "line" else journal.work.waiting(now())
            async with asyncio.TaskGroup() as group:
                feeding = group.create_task(watching(told, _health(journal, tmp_path, {"north": work})))
                await asyncio.sleep(25)
                with held:
                    await asyncio.sleep(30)
                    assert told.fed > 3, "a stall that any line may take is no reason to end the daemon"
                    await asyncio.sleep(STUCK_S)
                    fed = told.fed
                    assert "STATUS=STUCK: " + ("line north" if part == "line" else "journal") in told.last
                    await asyncio.sleep(300)
                    assert fed == told.fed
                await asyncio.sleep(60)
                assert told.fed > fed
                feeding.cancel()

    simulation.run(program())


def test_f25_the_journal_takes_thousands_of_readings_in_256_mb(tmp_path: Path) -> None:
    """F25: what grows with the journal would end at the limit of the service, on a gateway of 256 MB."""
    program = f"""
import asyncio, resource, sys
from pathlib import Path
from meterlink.clock import SystemClock
from meterlink.journal.journal import Journal
from tests.support.records import record
resource.setrlimit(resource.RLIMIT_AS, (256 << 20, 256 << 20))
async def main():
    async with Journal.open(Path({str(tmp_path / "j.db")!r}), clock=SystemClock()) as journal:
        for start in range(0, 6000, 500):
            await asyncio.gather(*(journal.keep(record(start + n, items=8)) for n in range(500)))
            await journal.sinks.advance("mqtt", journal.newest_id)
        status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
        print(journal.newest_id, status["VmHWM"].split()[0])  # getrusage would count our parent's, too
asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT, timeout=19
    )
    assert 0 == done.returncode, done.stderr
    rows, rss_kib = map(int, done.stdout.split())
    assert 6000 == rows
    assert rss_kib < 128 * 1024


@contextmanager
def _few_descriptors() -> Iterator[None]:
    """No more than are open now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    spare = os.open("/dev/null", os.O_RDONLY)
    os.close(spare)
    resource.setrlimit(resource.RLIMIT_NOFILE, (spare, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.asyncio
async def test_f26_without_descriptors_what_is_open_goes_on(tmp_path: Path) -> None:
    """F26: one file too many would end the daemon, or the journal stay shut when there are some again."""

    async def hello() -> Page:
        return Page.of(200, {"ok": True})

    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "nobody")})
    async with (
        Journal.open(tmp_path / "j.db", clock=SystemClock()) as journal,
        monitor(0, {"/": hello}) as port,
    ):
        await journal.keep(record(0))
        with _few_descriptors():
            notifier.tell(ALIVE)  # needs a socket, and there is none
            assert 2 == await journal.keep(record(1))
            with pytest.raises(OSError, match="Too many open files"):
                await asyncio.open_connection(LOOPBACK, port)
        assert 3 == await journal.keep(record(2))
        reader, writer = await asyncio.open_connection(LOOPBACK, port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize(
    "step", [timedelta(hours=1), -timedelta(hours=1), timedelta(days=1), -timedelta(days=1)]
)
def test_f27_a_clock_that_is_set_makes_nothing_stuck_and_removes_nothing(
    tmp_path: Path, step: timedelta
) -> None:
    """F27: the watchdog would end a daemon whose clock was set, or an hour's rows go for a day's."""
    simulation = Simulation(start=EPOCH)

    async def program() -> None:
        async with Journal.open(tmp_path / "j.db", clock=simulation.clock) as journal:
            keeper = Housekeeper(
                journal, Policy(dict.fromkeys(AGEING, timedelta(days=2))), clock=simulation.clock
            )
            work = LineWork()
            health = _health(journal, tmp_path, {"north": work})
            for n in range(3):
                await journal.keep(record(n))
            await journal.sinks.advance("mqtt", 3)
            with work.in_hand(asyncio.get_running_loop().time()):
                simulation.clock.step_wall(step)
                await asyncio.sleep(60)
                assert [] == health.stuck()
            assert 0 == await keeper.age()

    simulation.run(program())


def test_f28_a_leap_from_1970_keeps_what_was_kept(tmp_path: Path) -> None:
    """F28: a gateway without a clock starts in 1970; when it learns the time, all of it would be too old."""
    simulation = Simulation(start=datetime(1970, 1, 1, 0, 5, tzinfo=UTC))

    async def program() -> None:
        async with Journal.open(tmp_path / "j.db", clock=simulation.clock) as journal:
            keeper = Housekeeper(
                journal, Policy(dict.fromkeys(AGEING, timedelta(days=35))), clock=simulation.clock
            )
            await journal.keep(record(0))
            simulation.clock.step_wall(EPOCH - simulation.clock.utc_now())
            await journal.keep(record(1))
            await journal.keep(record(2))
            await journal.sinks.advance("mqtt", 0)
            assert 0 == await keeper.age(), "the slot is young, and no sink has it"
            await journal.sinks.advance("mqtt", 3)
            assert 0 == await keeper.age()

    simulation.run(program())
    with JournalReader(tmp_path / "j.db") as reader:
        assert [] == [*faults(reader)]


async def _records(journal: Journal) -> list[Record | Event | KeptAct]:
    """All that stands in the log, to be compared with what was given, value by value."""
    return [row.record for row in await journal.rows_after(0, 1_000)]


def _query_only(switch: str) -> Callable[[Store], object]:
    """Have SQLite refuse to write, or take it back."""
    return lambda store: store.look(lambda db: db.execute(f"PRAGMA query_only = {switch}"))


@pytest.mark.parametrize("fault", ["read_only", "fails"])
def test_f30_f31_a_real_disk_that_goes_loses_nothing_that_was_confirmed(tmp_path: Path, fault: str) -> None:
    """F30, F31: a file system that really went read-only, or has no block left under it, would be believed.

    Neither comes back under a file that is open, so what was confirmed is looked for after a new mount.
    """
    own_disk = ["unshare", "--mount"]
    loop = [*own_disk, "sh", "-c", 'mount -t tmpfs tmpfs "$0" && losetup -f', str(tmp_path)]
    if not shutil.which("mkfs.ext4") or subprocess.run(loop, capture_output=True, check=False).returncode:
        pytest.skip("only root can put a file system into a file, with mkfs.ext4")
    done = subprocess.run(
        [*own_disk, sys.executable, "-m", "tests.support.failing_disk", fault, str(tmp_path)],
        capture_output=True, text=True, check=False, cwd=ROOT, timeout=19,
    )  # fmt: skip
    assert 0 == done.returncode, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])  # the log stands before it
    assert 3 == len(seen["refused"])
    assert all("the disk failed" in words for words in seen["refused"])
    assert "the disk failed" in seen["trouble"], "whoever watches is told"
    assert 3 == seen["still_read"], "what is there can still be read and published"
    assert [] == seen["lost"]
    assert [] == seen["faults"]
    assert 4 <= seen["kept_again"]


def test_f30_a_journal_that_cannot_be_written_refuses_and_recovers(tmp_path: Path) -> None:
    """F30: a journal that may not be written for a while would end the daemon, or pass for one that keeps.

    SQLite is told to write nothing (query_only), because that can be taken back under an open file.
    """

    async def program() -> None:
        async with Journal.open(tmp_path / "j.db", clock=SystemClock()) as journal:
            await journal.keep(record(0))
            await journal.acts.read(_query_only("ON"))
            for n in (1, 2):
                with pytest.raises(JournalError, match="cannot be written"):
                    await journal.keep(record(n))
            assert "cannot be written" in journal.work.trouble
            assert 1 == len(await journal.rows_after(0, 10)), "what is there can still be read and published"
            await journal.acts.read(_query_only("OFF"))
            assert 2 == await journal.keep(record(3))
            assert "" == journal.work.trouble
            assert [record(0), record(3)] == await _records(journal), "what was refused is not there either"

    asyncio.run(program())
    with JournalReader(tmp_path / "j.db") as reader:
        assert [] == [*faults(reader)]


class _BadDisk(Store):
    """A disk whose write fails with EIO, as SQLite tells it."""

    fails = False

    def commit(self, steps: Sequence[Step]) -> list[int]:
        if self.fails:
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR | (3 << 8)
            with explained(self.path):
                raise error
        return super().commit(steps)


def test_f31_a_disk_that_fails_refuses_and_recovers(tmp_path: Path) -> None:
    """F31: EIO would end the writer for good, or be told as a reading that was kept."""
    stores: list[_BadDisk] = []

    def opener(path: Path) -> Store:
        stores.append(_BadDisk.open(path))
        return stores[-1]

    async def program() -> None:
        async with Journal.open(tmp_path / "j.db", clock=SystemClock(), opener=opener) as journal:
            assert 1 == await journal.keep(record(0))
            stores[0].fails = True
            with pytest.raises(JournalError, match="the disk failed"):
                await journal.keep(record(1))
            assert 1 == len(await journal.rows_after(0, 10))
            assert "the disk failed" in journal.work.trouble, "whoever watches is told"
            stores[0].fails = False
            assert 2 == await journal.keep(record(2))
            assert "" == journal.work.trouble
            assert [record(0), record(2)] == await _records(journal), "what was refused is not there either"

    asyncio.run(program())
    with JournalReader(tmp_path / "j.db") as reader:
        assert [] == [*faults(reader)]


_PAGE, _WAL_HEADER, _FRAME_HEADER = 4_096, 32, 24
"""Octets of a page, and of what stands before a write-ahead log and before each page in it."""


def _journal_of(path: Path, rows: int) -> None:
    async def program() -> None:
        async with Journal.open(path, clock=SystemClock()) as journal:
            await asyncio.gather(*(journal.keep(record(n, items=20)) for n in range(rows)))

    asyncio.run(program())


@pytest.mark.parametrize("page", [1, 2, 5, 9, 20])
def test_f33_a_page_that_is_damaged_at_rest_is_found(tmp_path: Path, page: int) -> None:
    """F33: half a page of another time would be read as what a meter said, or an order be sent again."""
    path = tmp_path / "j.db"
    _journal_of(path, 200)
    octets = bytearray(path.read_bytes())
    start = page * 4096
    octets[start : start + 2048] = octets[start + 2048 : start + 4096]
    path.write_bytes(octets)
    with pytest.raises(JournalError, match="damaged"):
        Store.open(path)
    with JournalReader(path) as reader:
        assert any(fault.part in (Part.PAGES, Part.BOUNDARIES) for fault in faults(reader))


def _pages_of(log: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and content of the pages in a write-ahead log. Source: SQLite, file format, section 4.2."""
    for start in range(_WAL_HEADER, len(log) - _PAGE - _FRAME_HEADER + 1, _PAGE + _FRAME_HEADER):
        page = start + _FRAME_HEADER
        yield int.from_bytes(log[start : start + 4], "big"), log[page : page + _PAGE]


def _cut_off(path: Path, copy: Path, torn: int) -> Path:
    """A journal that its log was being folded into when the power went: so much of each page is there."""
    folded = bytearray(path.read_bytes())
    for number, page in _pages_of(Path(f"{path}-wal").read_bytes()):
        start = (number - 1) * _PAGE
        folded.extend(bytes(max(0, start + _PAGE - len(folded))))
        folded[start : start + torn] = page[:torn]
    copy.write_bytes(folded)
    return copy


@pytest.mark.parametrize("torn", [512, 2_048, 3_584])
def test_f33_pages_that_a_power_cut_has_torn_mend_themselves(tmp_path: Path, torn: int) -> None:
    """F33: a power cut while SQLite writes into the file would cost the journal, or need somebody's hand."""
    path, copy, alone = tmp_path / "j.db", tmp_path / "copy.db", tmp_path / "alone.db"
    _journal_of(path, 50)

    async def program() -> None:
        async with Journal.open(path, clock=SystemClock()) as journal:
            for n in range(50, 60):
                await journal.keep(record(n))
            _cut_off(path, alone, torn)
            shutil.copyfile(f"{path}-wal", f"{_cut_off(path, copy, torn)}-wal")

    async def after() -> list[Record | Event | KeptAct]:
        async with Journal.open(copy, clock=SystemClock()) as journal:
            await journal.keep(record(60))
            return await _records(journal)

    asyncio.run(program())
    with pytest.raises(JournalError, match="damaged"):
        Store.open(alone)  # what mends it is the log, which SQLite keeps until the file is synced
    expected = [record(n, items=20 if n < 50 else 2) for n in range(61)]
    assert expected == asyncio.run(after())
    with JournalReader(copy) as reader:
        assert [] == [*faults(reader)]


@pytest.mark.parametrize("cut", [1, 24, 32, 4_000, 4_153, 20_000])
def test_f33_a_write_ahead_log_that_was_cut_keeps_what_is_whole(tmp_path: Path, cut: int) -> None:
    """F33: a power cut in the middle of a write would take more than what was being written."""
    path, copy = tmp_path / "j.db", tmp_path / "copy.db"

    async def program() -> None:
        async with Journal.open(path, clock=SystemClock()) as journal:
            for n in range(20):
                await journal.keep(record(n))
            shutil.copyfile(path, copy)
            shutil.copyfile(f"{path}-wal", f"{copy}-wal")

    asyncio.run(program())
    os.truncate(f"{copy}-wal", Path(f"{copy}-wal").stat().st_size - cut)

    async def after() -> list[Record | Event | KeptAct]:
        async with Journal.open(copy, clock=SystemClock()) as journal:
            return await _records(journal)

    kept = asyncio.run(after())
    assert [record(n) for n in range(len(kept))] == kept, "an unbroken beginning"
    assert 20 - 1 - cut // 4_000 * 2 <= len(kept) < 20
    with JournalReader(copy) as reader:
        assert [] == [*faults(reader)]


def test_f35_a_file_that_is_deleted_under_us_is_told(tmp_path: Path) -> None:
    """F35: the daemon would write for weeks into a file that nobody will ever find, or into another's.

    Put back in its place, it goes on without a start, and what was refused meanwhile is not in it.
    """
    path, aside, other = (tmp_path / name for name in ("j.db", "aside.db", "other.db"))

    async def program() -> None:
        async with Journal.open(path, clock=SystemClock()) as journal:
            await journal.keep(record(0))
            os.link(path, aside)
            path.unlink()
            for n in (1, 2):
                with pytest.raises(JournalError, match="is gone"):
                    await journal.keep(record(n))
                assert "is gone" in journal.work.trouble
                shutil.copyfile(other, path)
            assert other.read_bytes() == path.read_bytes(), "it is not written into"
            aside.replace(path)
            assert 2 == await journal.keep(record(3))
            assert "" == journal.work.trouble

    async def after() -> list[Record | Event | KeptAct]:
        async with Journal.open(path, clock=SystemClock()) as journal:
            return await _records(journal)

    _journal_of(other, 3)
    asyncio.run(program())
    assert [record(0), record(3)] == asyncio.run(after())


@pytest.mark.parametrize("waiting", [0, 300])
def test_f58_an_upgrade_keeps_a_full_outbox_and_an_older_version_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waiting: int
) -> None:
    """F58: rows that wait would be lost by an upgrade, or an older version write into the new file."""
    path, known = tmp_path / "j.db", steps()
    monkeypatch.setattr("meterlink.journal.migrations.steps", lambda: known[:3])
    with sqlite3.connect(path) as old:
        for step in known[:3]:
            old.executescript(step)
        old.executescript("PRAGMA application_id = 1296845361; PRAGMA user_version = 3;")
        old.execute("INSERT INTO boot VALUES (1, 1)")
        for n in range(1, waiting + 3):
            old.execute("INSERT INTO log VALUES (?, 1, 'reading', 1, 'm1', 'instant', 1)", (n,))
            old.execute(
                "INSERT INTO reading VALUES (?, 0, 'm1', 'voltage.a', ?, 'V', 1, 1, 0, 'line1')",
                (n, f"230.{n}"),
            )
        old.execute("INSERT INTO sink VALUES ('mqtt', 2)")
    old.close()
    monkeypatch.setattr("meterlink.journal.migrations.steps", lambda: known)

    async def upgraded() -> list[tuple[int, str]]:
        async with Journal.open(path, clock=SystemClock()) as journal:
            assert 2 == await journal.sinks.cursor("mqtt")
            rows = await journal.rows_after(2, 1_000)
            return [(row.id, str(one.value)) for row in rows for one in row.readings]

    waits = [(n, f"230.{n}") for n in range(3, waiting + 3)]
    assert waits == asyncio.run(upgraded())
    before = path.read_bytes()
    monkeypatch.setattr("meterlink.journal.migrations.steps", lambda: known[:3])
    with pytest.raises(JournalError, match=f"version {len(known)} is newer than 3.*install the newer one"):
        Store.open(path)
    assert before == path.read_bytes(), "and it has not touched it"
    monkeypatch.setattr("meterlink.journal.migrations.steps", lambda: known)
    assert waits == asyncio.run(upgraded()), "and the newer one goes on"
