"""``meterlink decode`` and ``meterlink items`` from outside: people's form and machines' form."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from meterlink.cli import app
from meterlink.cli.language import Lang, chosen
from meterlink.explain import dlt645, jsonl
from meterlink.explain.hexadecimal import OCTETS_MAX, NotHexadecimal, octets_of
from meterlink.explain.jsonl import LINE_CHARACTERS_MAX, answer
from meterwire.dlt645 import Frame, ReadReply, encode, to_frame
from meterwire.dlt698.link import frame as frame698
from meterwire.dlt698.link.address import ServerAddress

_ENERGY = "6861010000000068910833333433593333338A16"
_REFUSED = "6812000000102068D101351916"
_RUN = CliRunner()


def _run(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
    result = _RUN.invoke(app, arguments, input=stdin, env={"LC_ALL": "C", "NO_COLOR": "1", "COLUMNS": "160"})
    return result.exit_code, result.stdout, result.stderr


def test_a_frame_is_explained_octet_by_octet() -> None:
    """Somebody in front of a meter cabinet would not see which octet says what."""
    code, out, _ = _run("decode", "FE FE " + _ENERGY)
    assert code == 0
    for words in (
        "preamble",
        "000000000161",
        "read data",
        "00 01 00 00",
        "forward active energy",
        "0.26 kWh",
        "checksum",
    ):
        assert words in out


def test_nothing_to_explain_is_said() -> None:
    """A script whose log was empty would go on as if every frame in it were good."""
    for nothing in ("", "\n \n"):
        code, out, err = _run("decode", stdin=nothing)
        assert (1, "") == (code, out)
        assert "nothing to explain" in err
    code, _, err = _run("decode", " ")
    assert 2 == code
    assert "there are no hexadecimal digits" in err


def test_octets_and_a_file_are_not_mixed(tmp_path: Path) -> None:
    """One of the two would be passed over in silence."""
    for option in ("--file=" + str(tmp_path / "frames.txt"), "--jsonl"):
        code, out, err = _run("decode", option, _ENERGY)
        assert (2, "") == (code, out)
        assert "not both" in err


def test_a_closed_standard_input_is_told() -> None:
    """Started by a service manager without one, it would show a page of Python."""
    command = [sys.executable, "-m", "meterlink", "decode"]
    shell = ["sh", "-c", '"$@" <&-', "sh", *command]
    done = subprocess.run(shell, capture_output=True, text=True, check=False, timeout=15)
    assert 2 == done.returncode
    assert "give octets, --file, or something on standard input" in done.stderr.replace("\n", " ")


def test_every_octet_stands_in_the_explanation() -> None:
    """An octet that nobody explains could be the one that is wrong."""
    octets = bytes.fromhex("FEFE" + _ENERGY)
    (frame,) = dlt645.explain(octets).frames
    assert octets == b"".join(part.octets for part in frame.parts)
    assert [part.start for part in frame.parts] == [0, 2, 3, 9, 10, 11, 12, 16, 20, 21]


def test_chinese_is_chosen_by_option_and_by_locale() -> None:
    """People in the field read Chinese."""
    code, out, _ = _run("decode", "--lang", "zh", _REFUSED)
    assert code == 0
    assert "无请求数据" in out
    assert chosen(None, {"LANG": "zh_CN.UTF-8"}) == "zh"
    assert chosen(None, {"LC_ALL": "C", "LANG": "zh_CN.UTF-8"}) == "en"
    assert chosen(None, {}) == "en"
    assert chosen(Lang.EN, {"LANG": "zh_CN.UTF-8"}) == "en"


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        ("6861010000000068910833333433593333338B16", "checksum is wrong"),
        ("6861010000000068910833333433593333338A17", "end octet"),
        ("686101000000006891083333343359", "ends too early"),
        ("1122", "no start octet"),
    ],
)
def test_a_refused_frame_says_why(octets: str, words: str) -> None:
    """An error that says no more than bad frame sends nobody to the right place."""
    code, out, _ = _run("decode", octets)
    assert code == 1
    assert words in out


def test_a_refused_frame_is_annotated_octet_by_octet() -> None:
    """Whoever holds a bad capture must see which field is wrong, not only that one is."""
    damaged = "6861010000000068910833333433593333338B16"
    _, shown, _ = _run("decode", "--lang", "en", "--show-secrets", damaged)
    [guilty] = [line for line in shown.splitlines() if "8B  checksum" in line]
    assert "the checksum is wrong" in guilty
    assert "the octets add up to 8AH" in shown
    assert "61 01 00 00 00 00  address" in shown
    _, shown, _ = _run("decode", "--lang", "en", damaged)
    [guilty] = [line for line in shown.splitlines() if "**  checksum" in line]
    assert "the checksum is wrong" in guilty
    _, shown, _ = _run("decode", "--lang", "zh", "686101000000006891083333343359")
    assert "数据长度: 8" in shown
    assert "帧不完整" in shown


def test_a_refused_frame_keeps_its_password() -> None:
    """A damaged write holds the same password as a sound one."""
    damaged = "6811111111111168140E353333373535343344444444ABCDFF16"
    _, shown, _ = _run("decode", "--lang", "en", damaged)
    assert "**" in shown
    assert "35 35 34 33" not in shown
    _, shown, _ = _run("decode", "--lang", "en", "--show-secrets", damaged)
    assert "35 35 34 33" in shown


def test_output_into_a_file_is_not_cut() -> None:
    """The end of a long line, where the digits of an error word stand, would be missing."""
    refused = Frame("000000000161", 0x1C, b"\xff\x01", from_meter=True, abnormal=True)
    result = _RUN.invoke(app, ("decode", encode(refused).hex()), env={"LC_ALL": "C", "COLUMNS": "80"})
    assert "(01FFH)" in result.stdout


def test_what_a_meter_says_does_not_act_on_the_terminal() -> None:
    """A meter could clear the screen of whoever looks at its frame, or write what it likes there."""
    text = b"\x1b[2J\xe2\x80\xae"[::-1].rjust(32, b"\x00")
    reply = ReadReply(address="000000000161", di=0x04000403, data=text)
    _, out, _ = _run("decode", encode(to_frame(reply)).hex())
    assert "\x1b" not in out
    assert "\\x1b[2J" in out


def test_files_and_standard_input_are_read(tmp_path: Path) -> None:
    """A log of a night could not be looked at."""
    file = tmp_path / "frames.txt"
    file.write_text(f"{_ENERGY}\n\n{_REFUSED}\n", encoding="utf-8")
    for run in (_run("decode", "-f", str(file)), _run("decode", stdin=f"{_ENERGY}\n{_REFUSED}\n")):
        assert run[0] == 0
        assert "0.26 kWh" in run[1]
        assert "no such data" in run[1]


@pytest.mark.parametrize(
    "arguments", [("decode", "xyz"), ("decode", "680"), ("decode", "-f", "/nowhere/at/all")]
)
def test_a_wrong_command_line_is_exit_2(arguments: tuple[str, ...]) -> None:
    """A script could not tell a typing error from a bad frame."""
    code, out, _ = _run(*arguments)
    assert code == 2
    assert out == ""


def test_octets_that_may_hold_a_password_are_masked() -> None:
    """A screenshot of a write would give away the meter's password."""
    write = "6812907856341268140F353433373789674534333333635343AE16"
    code, out, _ = _run("decode", write)
    assert code == 0
    assert "89 67 45" not in out
    assert "password: 123456" not in out
    assert "10:20:30" in out
    shown = _run("decode", "--show-secrets", write)[1]
    assert "89 67 45" in shown
    assert "password: 123456" in shown


def _decoded(octets: str, direction: str = "response") -> dict[str, Any]:
    line = {"id": "x", "protocol": "dlt645-2007", "direction": direction, "hex": octets}
    return answer(json.dumps(line))


def test_a_bad_line_never_stops_the_answers() -> None:
    """One line of a vector file would hide all the others."""
    lines = [
        "",
        "nonsense",
        "[]",
        "{}",
        '{"hex": 5}',
        '{"id": 7, "hex": "ABC"}',
        '{"id": 8, "hex": "00"}',
        "[" * 100_000,
    ]
    good = json.dumps({"id": "y", "protocol": "dlt645-2007", "direction": "response", "hex": _ENERGY})
    code, out, _ = _run("decode", "--jsonl", stdin="\n".join([*lines, "x" * (LINE_CHARACTERS_MAX + 5), good]))
    assert code == 0
    answers = [json.loads(line) for line in out.splitlines()]
    assert len(lines) + 1 == len(answers)
    assert all(one["error"]["kind"] in {"bad-line", "unsupported"} for one in answers[:-1])
    assert answers[-1]["error"] is None
    assert answers[-1]["decoded"]["values"][0]["value"] == "0.26"


@given(st.text(max_size=80) | st.from_type(dict[str, str]).map(json.dumps))
def test_any_line_gets_one_answer(line: str) -> None:
    """The program would end in the middle of a file."""
    shown = list(jsonl.answers([line]))
    assert len(shown) == (1 if line.strip() else 0)
    assert all({"id", "protocol", "error", "decoded"} == json.loads(one).keys() for one in shown)


@given(st.binary(min_size=1, max_size=80), st.sampled_from(["request", "response", "stream"]))
def test_any_octets_get_one_answer(octets: bytes, direction: str) -> None:
    """Rubbish in a vector would end the program."""
    assert {"id", "protocol", "error", "decoded"} == _decoded(octets.hex(), direction).keys()


def test_a_stream_lists_its_frames_and_counts_the_rest() -> None:
    """Two answers in one recording would become one."""
    found = _decoded("FDBBDD" + "FEFE" + _ENERGY + _REFUSED + "00", "stream")["decoded"]
    assert [frame["control"] for frame in found["frames"]] == ["0x91", "0xD1"]
    assert [frame["preamble"] for frame in found["frames"]] == [2, 0]
    assert found["skipped"] == 4


@pytest.mark.parametrize("behind", ["FE", "FEFEFE", "00"])
def test_octets_behind_a_single_frame_are_no_part_of_it(behind: str) -> None:
    """A frame that was cut out of a line with the next one's preamble would pass for what was sent."""
    frame = _frame698(bytes.fromhex("0501010010020000"))
    line = {"id": "1", "protocol": "dlt698.45", "direction": "request"}
    told = [answer(json.dumps({**line, "hex": text})) for text in (f"FEFE{frame}", frame + behind)]
    assert [None, "trailing"] == [one["error"] and one["error"]["kind"] for one in told]


def test_a_bad_message_in_a_stream_is_the_error_of_its_own_frame() -> None:
    """A recording of a day would be no recording for one frame that somebody's firmware got wrong."""
    bad, good = (_frame698(bytes.fromhex(apdu)) for apdu in ("0501010010", "0501010010020000"))
    pieces = [_frame698(bytes.fromhex(piece), segmented=True) for piece in ("0000 05", "0140 05")]
    stream = "".join([bad, good, *pieces])
    found = answer(json.dumps({"protocol": "dlt698.45", "direction": "stream", "hex": stream}))
    assert found["error"] is None
    frames, joined = found["decoded"]["frames"], found["decoded"]["reassembled"]
    assert [True, False, False, False] == ["error" in frame for frame in frames]
    assert frames[1]["apdu"]["service"] == "GET-Request"
    assert ("apdu", len(bad) // 2 - 3) == (frames[0]["error"]["kind"], frames[0]["error"]["offset"])
    assert ["apdu"] == [one["error"]["kind"] for one in joined]
    assert "apdu" not in frames[0]


def _frame698(user_data: bytes, *, segmented: bool = False) -> str:
    frame = frame698.Frame(ServerAddress("000000000001"), 0x10, user_data, False, True, segmented=segmented)
    return frame698.encode(frame).hex()


def test_hexadecimal_text_has_a_limit() -> None:
    """A file given by mistake would be turned into a tree of a million lines."""
    assert OCTETS_MAX == len(octets_of("68" * OCTETS_MAX))
    with pytest.raises(NotHexadecimal):
        octets_of("68" * (OCTETS_MAX + 1))
    assert octets_of("0x68, 0xFE [11:22-33]") == bytes.fromhex("68FE112233")


def test_items_are_found_in_both_languages() -> None:
    """Nobody knows the data identifiers by heart."""
    code, out, _ = _run("items", "--search", "电压", "--json")
    assert code == 0
    found = [json.loads(line) for line in out.splitlines()]
    assert {"voltage.a"} <= {family["item"] for family in found}
    assert found[0].keys() >= {
        "di",
        "item",
        "en",
        "zh",
        "unit",
        "octets",
        "format",
        "access",
        "obis",
        "slots",
    }
    code, out, _ = _run("items", "--search", "voltage", "--lang", "zh")
    assert code == 0
    assert "0201{phase}00" in out
    assert "电压 A相" in out
    assert _run("items", "--search", "没有这个")[0] == 1


@pytest.mark.parametrize(
    ("protocol", "search", "pattern", "name"),
    [
        ("dlt645-2007", "00010000", "0001{tariff}{settlement}", "forward active energy"),
        (
            "dlt645-2007",
            "00 01 02 0c",
            "0001{tariff}{settlement}",
            "forward active energy tariff 2 (settlement.12)",
        ),
        ("dlt645-2007", "05060101", "050601{last_62}", "forward active energy (daily_freeze/last.1)"),
        ("dlt645-1997", "901F", "901{tariff_97}", "forward active energy"),
    ],
)
def test_one_identifier_is_found_in_its_family(protocol: str, search: str, pattern: str, name: str) -> None:
    """Whoever holds a frame has an identifier and not its name."""
    arguments = ("items", "--protocol", protocol, "--search", search)
    code, out, _ = _run(*arguments, "--json")
    assert 0 == code
    (found,) = [one for one in map(json.loads, out.splitlines()) if one["member"]]
    assert (pattern, "".join(search.split()).upper()) == (found["di"], found["member"]["di"])
    assert found["member"]["en"].startswith(name)
    assert found["member"]["en"] in _run(*arguments)[1]
    assert found["member"]["zh"] in _run(*arguments, "--lang", "zh")[1]


def test_no_name_is_cut_where_a_program_reads() -> None:
    """A script that looks for a long name would not find it."""
    result = _RUN.invoke(app, ("items",), env={"LC_ALL": "C", "COLUMNS": "80"})
    assert "…" not in result.stdout
    assert len(result.stdout.splitlines()) == 1 + len(_run("items", "--json")[1].splitlines())


def test_help_version_and_completion() -> None:
    """The first thing that anybody types."""
    code, out, _ = _run("--help")
    assert code == 0
    for words in ("decode", "items", "--version", "--install-completion", "Exit codes"):
        assert words in out
    assert "meterlink decode --jsonl" in _run("decode", "--help")[1]
    assert _run("--version")[1].startswith("meterlink ")
    assert _run("nonsense")[0] == 2


def test_help_loads_no_heavy_library() -> None:
    """Completion would take a second at each key."""
    program = (
        "import sys\n"
        "from meterlink.cli import app\n"
        "try:\n    app(['--help'])\nexcept SystemExit:\n    pass\n"
        "names = {'influxdb_client', 'amqtt', 'aiomqtt', 'serial', 'sqlite3', 'construct', 'meterwire'}\n"
        "names |= {'fastapi', 'starlette', 'uvicorn', 'meterlink.web', 'meterlink.accounts'}\n"
        "heavy = names & set(sys.modules)\n"
        "sys.exit(f'loaded: {heavy}' if heavy else 0)\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (0, "") == (run.returncode, run.stderr)
    assert "decode" in run.stdout


def test_items_of_a_dialect() -> None:
    """Somebody with an old meter would look up what it does not have."""
    assert _run("items", "--search", "日冻结", "--json")[0] == 0
    assert _run("items", "--search", "日冻结", "--dialect", "standard", "--json")[0] == 1
    code, _, err = _run("items", "--dialect", "fujian")
    assert (2, True) == (code, "there is standard, state_grid, southern_grid" in " ".join(err.split()))
