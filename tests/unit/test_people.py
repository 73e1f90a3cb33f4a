"""People and their posts: what a file may say, and what a post allows."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from meterlink.config.watched_file import FILE_OCTETS_MAX
from meterlink.errors import ConfigError, NotAllowed
from meterlink.orders import people as people_module
from meterlink.orders.people import (
    DEEDS,
    THE_DAEMON,
    Actor,
    Deed,
    Role,
)
from meterlink.orders.people_file import PEOPLE_MAX, PeopleOfFile, read_people

_GOOD = """
[[people]]
name = "li.lei"
roles = ["clerk", "viewer"]

[[people]]
name = "han.meimei"
roles = ["approver"]
accounts = ["000012345678"]
senders = ["Board", "desk-1"]
"""


def _file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "people.toml"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o640)
    return path


def test_a_file_gives_people_their_posts(tmp_path: Path) -> None:
    """Everybody would have every role, or nobody any."""
    people = read_people(_file(tmp_path, _GOOD))
    assert Actor(name="li.lei", roles=frozenset({Role.CLERK, Role.VIEWER})) == people.actor("li.lei")
    assert frozenset({"000012345678"}) == people.actor("han.meimei").accounts
    assert frozenset({"board", "desk-1"}) == people.actor("han.meimei").senders
    assert Actor(name="mallory") == people.actor("mallory")
    assert not any(people.actor("mallory").may(deed) for deed in Deed)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[[people]]\nname = "x"\nroles = ["king"]\n', ["people.1.roles", "clerk"]),
        ('[[people]]\nname = "x"\nroles = []\n', ["people.1.roles", "at least 1"]),
        ('[[people]]\nroles = ["clerk"]\n', ["people.1.name"]),
        ('[[people]]\nname = "x"\nrole = "clerk"\nroles = ["clerk"]\n', ["people.1.role"]),
        ('[[people]]\nname = "meterlink"\nroles = ["clerk"]\n', ["daemon's own name"]),
        ('[[people]]\nname = "x"\nroles = ["clerk"]\naccounts = ["12"]\n', ["12 digits"]),
        ('[[people]]\nname = "x"\nroles = ["auditor", "clerk"]\n', ["auditor and clerk", "two people"]),
        ('[[people]]\nname = "x"\nroles = ["admin", "dispatcher"]\n', ["admin and dispatcher", "two people"]),
        ('[[people]]\nname = "x"\nroles = ["billing", "clerk"]\n', ["billing and clerk", "two people"]),
        ('[[people]]\nname = "x"\nroles = ["clerk"]\nsenders = ["a:b"]\n', ["senders", "1 to 32"]),
        (_GOOD + '[[people]]\nname = "li.lei"\nroles = ["viewer"]\n', ["two [[people]]", "li.lei"]),
        ("people = 5\n", ["people"]),
        ("[[people]\n", ["not TOML"]),
    ],
)
def test_a_fault_of_the_file_is_named(tmp_path: Path, text: str, words: list[str]) -> None:
    """A role misspelt would silently be none, or the whole file."""
    path = _file(tmp_path, text)
    with pytest.raises(ConfigError) as wrong:
        read_people(path)
    assert [] == [word for word in (str(path), *words) if word not in str(wrong.value)]


def test_a_person_sends_under_the_own_name_or_those_of_the_file(tmp_path: Path) -> None:
    """Everybody could bring evidence in everybody's name, or a clerk of a desk none at all."""
    people = read_people(_file(tmp_path, _GOOD))
    li_lei, han_meimei = people.actor("li.lei"), people.actor("han.meimei")
    assert [True, True, False] == [li_lei.may_send_as(name) for name in ("li.lei", "LI.Lei", "board")]
    assert [True, True, False] == [han_meimei.may_send_as(name) for name in ("BOARD", "desk-1", "han.meimei")]


def test_a_file_that_others_may_write_is_refused(tmp_path: Path) -> None:
    """Everybody on the machine could make himself an approver."""
    for mode in (0o660, 0o602):
        path = _file(tmp_path, _GOOD)
        path.chmod(mode)
        with pytest.raises(ConfigError, match="chmod go-w"):
            read_people(path)


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    """The daemon would start without anybody who may stop it."""
    with pytest.raises(ConfigError, match="cannot be read"):
        read_people(tmp_path / "nobody.toml")
    path = _file(tmp_path, "")
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not TOML"):
        read_people(path)
    with pytest.raises(ConfigError, match="brackets stand too deep"):
        read_people(_file(tmp_path, f"people = {'[' * 20_000}{']' * 20_000}"))


def test_a_file_that_is_right_again_says_so_once(tmp_path: Path) -> None:
    """Nobody who reads the log could tell whether orders go again."""
    path = _file(tmp_path, _GOOD)
    people = PeopleOfFile(path)
    with capture_logs() as logs:
        path.chmod(0o602)
        assert [True, True] == ["chmod" in people.fault for _ in range(2)]
        path.chmod(0o600)
        assert ["", ""] == [people.fault for _ in range(2)]
    assert ["people_wrong", "people_right"] == [one["event"] for one in logs]


def test_a_file_has_a_largest_size(tmp_path: Path) -> None:
    """A wrong path (a disk image, a journal) would be read whole into memory."""
    one = '[[people]]\nname = "p{}"\nroles = ["viewer"]\n'
    most = "".join(one.format(number) for number in range(PEOPLE_MAX))
    assert read_people(_file(tmp_path, most)).actor("p1").roles
    with pytest.raises(ConfigError, match=str(PEOPLE_MAX)):
        read_people(_file(tmp_path, most + one.format("x")))
    with pytest.raises(ConfigError, match="is this the right file"):
        read_people(_file(tmp_path, "#" * (FILE_OCTETS_MAX + 1)))


def test_every_deed_has_posts_and_the_posts_are_divided() -> None:
    """A deed without posts nobody could do; one that two posts share would not be divided."""
    assert set(Deed) == set(DEEDS)
    assert all(DEEDS.values())
    assert set() == DEEDS[Deed.CREATE] & DEEDS[Deed.APPROVE] | DEEDS[Deed.APPROVE] & DEEDS[Deed.OPERATE]
    control = {Deed.CREATE, Deed.APPROVE, Deed.OPERATE, Deed.CANCEL, Deed.FIND}
    assert set() == {deed for deed in control if Role.ADMIN in DEEDS[deed]}
    writing = set(Deed) - {Deed.LOOK}
    for role in (Role.VIEWER, Role.AUDITOR):
        assert set() == {deed for deed in writing if role in DEEDS[deed]}
    assert {Deed.SETTLE, Deed.RECONCILE} == {deed for deed in writing if Role.BILLING in DEEDS[deed]}
    assert set() == DEEDS[Deed.READ_METER] & {Role.VIEWER, Role.AUDITOR, Role.BILLING, Role.ADMIN}
    assert Role.OPERATOR in DEEDS[Deed.READ_METER]
    assert set() == DEEDS[Deed.RELEASE_QUARANTINE] & (
        DEEDS[Deed.CREATE] | DEEDS[Deed.APPROVE] | DEEDS[Deed.OPERATE]
    )


def test_the_daemon_is_no_person() -> None:
    """A person of its name could do what the daemon does by itself."""
    assert THE_DAEMON.is_daemon and not THE_DAEMON.roles
    assert people_module.DAEMON == THE_DAEMON.name


def test_whoever_is_taken_out_of_the_file_is_out_at_once(tmp_path: Path) -> None:
    """Somebody who was dismissed could order until the daemon is started anew."""
    path = _file(tmp_path, _GOOD)
    people = PeopleOfFile(path)
    assert people.actor("li.lei").may(Deed.CREATE)
    before = path.stat()
    _file(tmp_path, _GOOD.replace("li.lei", "li.wei"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert not people.actor("li.lei").may(Deed.LOOK), "though the file has its old size and time"
    assert people.actor("li.wei").may(Deed.CREATE)


@pytest.mark.parametrize("wrong", ["[[people]\n", "missing", "open"])
def test_while_the_file_is_wrong_nobody_has_a_role(tmp_path: Path, wrong: str) -> None:
    """A slip of the pen would leave everybody in office who was to be taken out."""
    path = _file(tmp_path, _GOOD)
    people = PeopleOfFile(path)
    if wrong == "missing":
        path.unlink()
    elif wrong == "open":
        path.chmod(0o666)
    else:
        _file(tmp_path, wrong)
    for _ in range(2):
        with pytest.raises(NotAllowed, match=r"nobody may do anything .*people.toml") as told:
            people.actor("han.meimei")
        assert "people" == told.value.why
    _file(tmp_path, _GOOD)
    assert people.actor("han.meimei").may(Deed.APPROVE)


def test_a_file_that_is_wrong_at_the_start_gives_nobody_a_role(tmp_path: Path) -> None:
    """By whichever list was thought of last, somebody would hold a role that no file gives (AUD-01)."""
    path = _file(tmp_path, "[[people]\n")
    people = PeopleOfFile(path)
    for look in (people.actor, people.last):
        with pytest.raises(NotAllowed, match="nobody may do anything"):
            look("li.lei")
    assert (False, True) == (people.were_known, "not TOML" in people.fault)
    _file(tmp_path, _GOOD)
    assert (people.actor("li.lei").may(Deed.CREATE), people.fault) == (True, "")
    _file(tmp_path, "[[people]\n")
    assert (True, True) == (people.last("li.lei").may(Deed.CREATE), people.were_known)
