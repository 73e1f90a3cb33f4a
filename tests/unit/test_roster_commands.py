"""``meterlink roster`` without a daemon: on the journal itself, as people and programs use it."""

from __future__ import annotations

import json
import os
import pwd
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from typer.testing import CliRunner

from meterlink.cli import app
from meterlink.journal.store import Store
from meterlink.roster.faults import FAULTS_MAX

_HEAD = "id,address,meter_number,customer,line,area\n"
_TWO = (
    _HEAD + "m1,000000000001,000000000001,李雷,line1,east\nm2,000000000002,000000000002,韩梅梅,line1,east\n"
)
_YES = {"apply": ("--yes",)}


class Place:
    """A folder with a configuration, and the commands in it."""

    def __init__(self, folder: Path, more: str = "") -> None:
        self.folder = folder
        self.config = folder / "meterlink.toml"
        self.config.write_text(
            f'[gateway]\ndata_dir = "{folder / "data"}"\n'
            f'[[lines]]\nname = "line1"\nurl = "tcp://127.0.0.1:1"\n{more}',
            encoding="utf-8",
        )

    def file(self, text: str, name: str = "m.csv", encoding: str = "utf-8") -> str:
        path = self.folder / name
        path.write_bytes(text.encode(encoding))
        return str(path)

    def run(self, *words: str, lang: str = "en") -> tuple[int, str, str]:
        given = [*words, "--lang", lang]
        if words[0] != "template":
            given += ["--config", str(self.config)]
        done = CliRunner().invoke(app, ["roster", *given])
        return done.exit_code, done.stdout, done.stderr

    def told(self, *words: str) -> Any:
        return json.loads(self.run(*words, "--json")[1])


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_plan_changes_nothing_and_apply_all(place: Place) -> None:
    """What is shown must be what is done."""
    file = place.file(_TWO)
    planned = place.told("plan", file)
    assert (0, ["m1", "m2"], {}, []) == (
        planned["revision"],
        planned["added"],
        planned["changed"],
        planned["retired"],
    )
    assert not (place.folder / "data").exists()
    assert {"revision": 1, "added": 2, "changed": 0, "retired": 0} == place.told("apply", file, "--yes")
    other = place.file(_HEAD + "m1,000000000001,000000000001,李雷,line1,west\n")
    planned = place.told("plan", other)
    assert ({"m1": {"area": ["east", "west"]}}, ["m2"]) == (planned["changed"], planned["retired"])
    assert [] == place.told("plan", other, "--partial")["retired"]
    code, out, _ = place.run("apply", other, "--yes", "--note", "moved")
    assert (0, True) == (code, "~ m1  area: east -> west" in out and "- m2" in out)
    assert ["m1"] == [json.loads(line)["id"] for line in place.run("list", "--json")[1].splitlines()]
    assert 2 == len(place.run("list", "--json", "--all")[1].splitlines())
    assert "nothing to change" in place.run("apply", other, "--yes")[1]


def test_every_refused_row_is_named(place: Place) -> None:
    """Whoever mends a table would mend a thousand rows, and be told of the next thousand."""
    count = FAULTS_MAX + 1
    file = place.file(_HEAD + "".join(f"m{n},{n:012d},,李雷,nowhere,east\n" for n in range(1, count + 1)))
    told = place.told("plan", file)
    assert (count, list(range(2, count + 2))) == (told["faults"], [one["row"] for one in told["refused"]])
    assert count == place.run("plan", file)[2].count("no line is named")


def test_most_meters_go_out_of_service_only_with_a_word(place: Place) -> None:
    """A table that was cut off, or a configuration without meters, would stop the reading of a whole town."""
    rows = [f"m{number},{number:012d},,李雷,line1,east\n" for number in range(1, 23)]
    assert 0 == place.run("apply", place.file(_HEAD + "".join(rows)), "--yes")[0]
    for command, kept, refused in (("plan", 11, False), ("apply", 10, True), ("plan", 0, True)):
        code, _, err = place.run(command, place.file(_HEAD + "".join(rows[:kept])), *_YES.get(command, ()))
        told = f"names {kept} meters, and {22 - kept} of the 22 in service would go out of it"
        assert (2 * refused, refused) == (code, told in err), err
    empty = place.file(_HEAD)
    assert "退运" in place.run("apply", empty, "--dry-run", lang="zh")[2]
    assert 0 == place.run("plan", empty, "--partial")[0]
    assert 21 == place.told("apply", place.file(_HEAD + rows[0]), "--yes", "--retire-many")["retired"]
    assert 2 == place.run("plan", place.file(_HEAD))[0], "the last one, too"


def test_nothing_is_applied_that_nobody_confirmed(place: Place) -> None:
    """A script without --yes would take a plant out of service."""
    file = place.file(_TWO)
    code, _, err = place.run("apply", file)
    assert (1, True) == (code, "not confirmed" in err)
    assert 0 == place.run("apply", file, "--dry-run")[0]
    assert not (place.folder / "data").exists()


def test_a_file_with_one_bad_row_changes_nothing(place: Place) -> None:
    """All or nothing; and whoever mends it needs row, column and reason, in his language."""
    file = place.file(_TWO + "m3,3,000000000001,x,line1,a\nm4,000000000004,000000000001,x,line9,a\n")
    code, out, err = place.run("apply", file, "--yes")
    assert (2, "") == (code, out)
    assert f"{file}:4: address (通信地址):" in err and "dropped zeros" in err and "前面的 0" in err
    assert f"{file}:5: line (线路): no line is named 'line9'" in err
    assert f"{file}:5: meter_number (表号): meter 'm1' in row 2 has the same meter number" in err
    assert "3 faults: nothing was changed" in err
    assert not (place.folder / "data").exists()
    assert f"{file}:第 4 行:通信地址(address)" in place.run("plan", file, lang="zh")[2]
    told = place.told("plan", file)
    assert [(4, "address"), (5, "line"), (5, "meter_number")] == sorted(
        (one["row"], one["column"]) for one in told["refused"]
    )


def test_a_number_is_overwritten_by_whoever_says_that_it_was_wrong(place: Place) -> None:
    """A meter would be exchanged by a table, and its evidence be the new one's; or a slip never be mended."""
    assert 0 == place.run("apply", place.file(_TWO), "--yes")[0]
    other = place.file(_TWO.replace("m2,000000000002,000000000002", "m2,000000000002,000000000009"))
    code, _, err = place.run("apply", other, "--yes")
    assert (2, True) == (code, f"{other}:3: meter_number" in err and "--correct-numbers" in err), err
    assert 2 == place.run("apply", other, "--dry-run")[0]
    assert 0 == place.run("apply", other, "--dry-run", "--correct-numbers")[0]
    assert 0 == place.run("apply", other, "--yes", "--correct-numbers")[0]


def test_a_plan_of_another_roster_is_refused(place: Place) -> None:
    """What was looked over in the morning would undo what was done at noon."""
    assert 0 == place.run("apply", place.file(_TWO), "--yes", "--revision", "0")[0]
    other = place.file(_TWO.replace("east", "west"))
    code, _, err = place.run("apply", other, "--yes", "--revision", "0")
    assert (8, True) == (code, "of revision 1, not 0" in err)
    assert 0 == place.run("apply", other, "--yes", "--revision", "1")[0]


def test_the_whole_story_of_a_meter(place: Place) -> None:
    """Who moved it, when, from where; and by whom it was replaced, with both registers."""
    me = pwd.getpwuid(os.getuid()).pw_name
    place.run("apply", place.file(_TWO), "--yes")
    place.run("apply", place.file(_TWO.replace("east", "west")), "--yes")
    removed = ("--removed-at", "2026-11-01 10:30", "--last-register", "12345.67", "--first-register", "0.02")
    more = (
        "--last-register",
        "forward_active_energy.t1=100",
        "--first-register",
        "forward_active_energy.t1=0",
    )
    words = ("exchange", "m1", "--new-number", "000000000009", *removed, *more, "--evidence", "photo")
    assert {"revision": 3, "added": 1, "changed": 1, "retired": 1} == place.told(*words)
    story = [json.loads(line) for line in place.run("history", "m1", "--json")[1].splitlines()]
    assert [(1, me, "apply"), (2, me, "apply"), (3, me, "exchange")] == [
        (one["revision"], one["actor"], one["verb"]) for one in story
    ]
    assert ({"area": "east"}, {"area": "west"}) == (story[1]["old"], story[1]["new"])
    assert "12345.67" == story[2]["exchange"]["last"]["forward_active_energy"]
    assert "forward_active_energy: 12345.67 -> 0.02" in place.run("history", "000000000009")[1]
    new = place.told("show", "000000000009")
    assert ("m1", "李雷", "2026-11-01T02:30:00Z") == (
        new["replaces"],
        new["customer"],
        new["in_service_since"],
    )
    at = ("--at", "2026-11-02 08:00", "--register", "7.50", "--evidence", "photo")
    assert 4 == place.told("ratio", "000000000009", "--ct", "200/5", *at)["revision"]
    assert ("40", None) == (place.told("show", "000000000009")["ct"], new.get("ct"))
    assert "2026-11-02T00:00:00Z  forward_active_energy: 7.50" in place.run("history", "000000000009")[1]
    assert 2 == place.run("ratio", "000000000009", "--ct", "-1", *at)[0]
    assert "所换旧表: m1" in place.run("show", "000000000009", lang="zh")[1]
    assert (0, "whole: 4 revisions, 3 meters\n", "") == place.run("verify")
    for wrong in (("show", "m7"), ("history", "m7"), (*words[:-1], "again")):
        assert 2 == place.run(*wrong)[0]
    assert 2 == place.run(*[word.replace("12345.67", "x=y") for word in words])[0]
    assert 2 == place.run(*[word.replace("10:30", "noon") for word in words])[0]
    again = ("exchange", "m2", "--new-number", "999", *removed)
    code, _, err = place.run(*again)
    assert (2, True) == (code, "the new meter: meter_number: write 12 digits" in err)
    assert "`--new-number`" in err and "roster apply" not in err
    code, _, err = place.run(*again[:3], "000000000009", "--new-id", "x", *removed, lang="zh")
    assert (2, True) == (
        code,
        err.startswith("m2:表号(meter_number):与表 '000000000009'(已在档案中)的表号相同"),
    )
    assert 5 == place.told("remove", "000000000009", *at)["revision"]
    assert "2026-11-02T00:00:00Z" == place.told("show", "000000000009")["in_service_until"]
    assert err.endswith("换表未登记。请改正新表的信息后重试\n")


def test_a_last_register_is_told_again(place: Place) -> None:
    """A digit that was mistyped at an exchange would stay in the bill: nobody could put it right."""
    place.run("apply", place.file(_TWO), "--yes")
    told = ("--removed-at", "2026-11-01 10:30", "--last-register", "219.5", "--first-register", "0")
    place.told("exchange", "m1", "--new-number", "000000000009", *told)
    right = ("correct", "m1", "--last-register", "119.5", "--word", "typed 219.5")
    assert {"revision": 3, "added": 0, "changed": 0, "retired": 0} == place.told(*right)
    story = place.run("history", "m1")[1]
    assert "219.5 -> 0" in story and "2026-11-01T02:30:00Z  forward_active_energy: 119.5" in story
    for wrong in (("correct", "m1", "--word", "x"), (*right, "--first-register", "1"), (*right[:-1], " ")):
        assert 2 == place.run(*wrong)[0]
    at = ("--ct", "40", "--at", "2026-10-30")
    code, _, err = place.run("ratio", "m1", *at)
    assert (2, True) == (code, "`--only`" in err)
    assert 4 == place.told("ratio", "m1", *at, "--only")["revision"]
    assert "   at 2026-10-29T16:00:00Z" == place.run("history", "m1")[1].splitlines()[-1]
    assert "   时刻 2026-10-29T16:00:00Z" == place.run("history", "m1", lang="zh")[1].splitlines()[-1]
    code, _, err = place.run("apply", place.file(_TWO), "--yes", "--partial")
    assert (2, True) == (code, "was replaced by '000000000009'" in err), err
    assert (0, True) == (place.run("verify")[0], place.run("verify")[1].startswith("whole: 4"))


@pytest.mark.parametrize("name", ["out.csv", "out.xlsx"])
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_what_is_exported_changes_nothing(place: Place, name: str, lang: str) -> None:
    """A copy that differs from the roster is none."""
    place.run("apply", place.file(_TWO), "--yes")
    out = place.folder / name
    assert (0, "", "") == place.run("export", "-o", str(out), lang=lang)
    planned = place.told("plan", str(out))
    assert ([], {}, [], 2) == (
        planned["added"],
        planned["changed"],
        planned["retired"],
        planned["unchanged"],
    )
    place.run("export", "-o", str(place.folder / "o.json"))
    document = json.loads((place.folder / "o.json").read_text(encoding="utf-8"))
    assert (1, ["m1", "m2"]) == (document["revision"], [one["id"] for one in document["meters"]])
    planned = place.told("plan", str(place.folder / "o.json"))
    assert ([], {}, [], 2) == tuple(planned[key] for key in ("added", "changed", "retired", "unchanged"))
    assert 2 == place.run("export", "-o", str(place.folder / "o.pdf"))[0]
    assert 1 == place.run("export", "-o", str(place.folder / "no" / "o.csv"))[0]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_template_is_a_good_file(place: Place, lang: str) -> None:
    """The first thing that anybody tries would be refused."""
    for name in ("t.csv", "t.xlsx"):
        out = str(place.folder / name)
        assert 0 == place.run("template", "-o", out, lang=lang)[0]
        assert ([], ["m000012345678"]) == (
            place.told("plan", out)["refused"],
            place.told("plan", out)["added"],
        )
    notes = openpyxl.load_workbook(place.folder / "t.xlsx").worksheets[1]
    assert ["id", "标识"] == [cell.value for cell in notes[2]][:2]
    assert 2 == place.run("template", "-o", str(place.folder / "t.doc"), lang=lang)[0]


def test_a_configuration_is_a_file_as_well(tmp_path: Path) -> None:
    """What stands in [[meters]] after the first start would have to be typed into a table."""
    entry = '[[meters]]\nid = "m1"\naddress = "000000000001"\nline = "line1"\n'
    place = Place(tmp_path, entry)
    assert ["m1"] == place.told("plan", str(place.config))["added"]


def test_the_journal_of_a_running_daemon_is_left_alone(place: Place) -> None:
    """Two writers of one file: the daemon would go on with a roster that is not the journal's."""
    (place.folder / "data").mkdir()
    held = Store.open(place.folder / "data" / "journal.sqlite3")
    try:
        code, _, err = place.run("apply", place.file(_TWO), "--yes")
    finally:
        held.close()
    assert (7, True) == (code, "another meterlink has this journal open" in err)


def test_who_may_change_it(tmp_path: Path) -> None:
    """Where orders are given, taking a hospital's mark away is not everybody's business."""
    me = pwd.getpwuid(os.getuid()).pw_name
    people = tmp_path / "people.toml"
    for role, code in (("clerk", 8), ("operator", 0)):
        people.write_text(f'[[people]]\nname = "{me}"\nroles = ["{role}"]\n', encoding="utf-8")
        people.chmod(0o600)
        place = Place(tmp_path, f'[control]\npeople = "{people}"\noperator_code = "20261122"\n')
        assert code == place.run("apply", place.file(_TWO), "--yes")[0]


def test_config_check_knows_the_roster(tmp_path: Path) -> None:
    """It would call a configuration good by which the daemon cannot start, or none at all."""
    entry = '[[meters]]\nid = "m1"\naddress = "000000000007"\nline = "line1"\n'

    def check(place: Place) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["config", "check", "--config", str(place.config)])
        return done.exit_code, done.output

    code, said = check(Place(tmp_path))
    assert (2, True) == (code, "there are no meters" in said)
    assert (0, True) == (check(Place(tmp_path, entry))[0], "takes over" in check(Place(tmp_path, entry))[1])
    place = Place(tmp_path)
    assert 0 == place.run("apply", place.file(_TWO), "--yes")[0]
    code, said = check(place)
    assert (0, True) == (code, "meters: 2" in said and "the journal's, revision 1" in said)
    code, said = check(Place(tmp_path, entry))
    assert (0, True) == (code, "0 new, 1 changed and 1 missing" in said)
    place.config.write_text(
        place.config.read_text(encoding="utf-8").replace("line1", "line2"), encoding="utf-8"
    )
    code, said = check(place)
    assert (2, True) == (code, "no line is named 'line1'" in said)
