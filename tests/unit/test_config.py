"""The configuration: what is refused, where the error points, and what never shows."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from meterlink.config import data_dir, load_settings
from meterlink.config.billing import AREAS_MAX, BillingSettings
from meterlink.config.lines import LineSettings
from meterlink.config.load import FILE_MAX_OCTETS
from meterlink.config.plans import PLANS_MAX
from meterlink.config.secret_ref import SecretRef
from meterlink.config.toml_places import line_of
from meterlink.errors import ConfigError
from meterlink.model.line_text import parse_line_url
from meterlink.model.line_url import ListenUrl, Rfc2217Url, SerialUrl, TcpUrl

_METER = '[[meters]]\nid = "m1"\naddress = "161"\nline = "tcp://127.0.0.1:5000"\n'
_NUMBER = 'meter_number = "202611220001"\n'


def _load(tmp_path: Path, text: str) -> str:
    """The error that a configuration gives."""
    path = tmp_path / "meterlink.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_settings(path)
    return str(caught.value).replace(f"{path}:", "line ")


def test_meters_alone_are_enough(tmp_path: Path) -> None:
    """A first reading would need a page of settings."""
    path = tmp_path / "meterlink.toml"
    path.write_text(_METER)
    settings = load_settings(path)
    [(line, meters)] = settings.meters_by_line()
    assert ("tcp://127.0.0.1:5000", "127.0.0.1:5000") == (line.url, line.name)
    assert ["000000000161"] == [meter.address for meter in meters]
    assert settings.mqtt is None and settings.influx is None


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        (_METER + "speed = 1\n", "line 5:", "unknown key 'meters[1].speed'"),
        ('[gateway]\nidd = "x"\n' + _METER, "line 2:", "did you mean 'id'?"),
        ("[gatway]\n" + _METER, "line 1:", "did you mean 'gateway'?"),
        (_METER.replace('"161"', "161"), "line 3:", "in quotes"),
        (_METER.replace("161", "1a1"), "line 3:", "12 decimal digits"),
        (_METER.replace("161", "9" * 12), "line 3:", "broadcast"),
        (_METER.replace("m1", "a/b"), "line 2:", "MQTT topic"),
        (_METER.replace("m1", "_x"), "line 2:", "begin with _"),
        (_METER.replace("m1", "x" * 65), "line 2:", "1 to 64"),
        (_METER.replace("tcp://127.0.0.1:5000", "hall"), "", "no line is named 'hall'"),
        (_METER.replace("tcp://127.0.0.1:5000", "udp://x:1"), "", "a line is tcp://"),
        (_METER + _METER.replace('"m1"', '"m2"'), "", "two meters of one address"),
        (_METER + _METER.replace("161", "162"), "", "two [[meters]] have the same id 'm1'"),
        (
            f"{_METER}{_NUMBER}" + _METER.replace("m1", "m2").replace(":5000", ":5001") + _NUMBER,
            "",
            "[[meters]] 'm1' and 'm2' have the same meter_number '202611220001': one meter has one id",
        ),
        (_METER + 'protocol = "dlt645"\n', "line 5:", "'modbus-rtu' or 'modbus-tcp'"),
        (_METER + "[[plans]]\nevery_s = 0\n", "line 6:", "greater than or equal to 1"),
        (_METER + "[[plans]]\nitems = []\n", "line 6:", "at least 1"),
        (_METER + '[[plans]]\nclass = "dayly_freeze"\n', "line 6:", "'instant', 'status', 'daily_freeze'"),
        (_METER + '[[plans]]\nclas = "daily_freeze"\n', "line 6:", "did you mean 'class'?"),
        ('[gateway]\nzone = "Europe/Berlin"\n' + _METER, "line 2:", "an offset such as +08:00"),
        (_METER.replace("127.0.0.1", "b..invalid"), "", "no host can be called 'b..invalid'"),
        (_METER.replace("127.0.0.1", "x" * 64), "", "no host can be called"),
        (_METER + '[mqtt]\nurl = "http://x"\n', "line 6:", "write mqtt://"),
        (_METER + '[mqtt]\nurl = "mqtt://b..invalid"\n', "line 6:", "write mqtt://"),
        (_METER + '[influx]\nurl = "http://b..invalid"\n', "line 6:", "write http://"),
        (_METER + '[influx]\nurl = "http://x:99999"\n', "line 6:", "write http://"),
        (
            _METER + '[[security_providers]]\nname = "hsm"\nurl = "tcp://b..invalid:1"\n',
            "line 7:",
            "write tcp://HOST:PORT",
        ),
        (_METER + '[mqtt]\nurl = "mqtt://u:hunter2@x"\n', "line 6:", "own keys"),
        (_METER + "[ingest]\nin_daemon = false\n", "", "needs [mqtt]"),
        ("[[meters]\n", "", "not TOML"),
        ("a = " + "[" * 10_000, "", "too deep"),
        (
            _METER + '[gateway]\ndata_dir = "a\\u0000b"\n',
            "line 6:",
            "data_dir: a text may not contain \\u0000",
        ),
        ('[meters]\nid = "a"\n', "line 1:", "write [[meters]]"),
        (_METER + "[gateway]\nid = 5\n", "line 6:", "must be a text, in quotes"),
        (_METER + "[gateway]\ndata_dir = 5\n", "line 6:", "must be a path, in quotes"),
        ("gateway = 5\n" + _METER, "line 1:", "must be a table"),
        (_METER + '[[plans]]\nitems = "voltage.a"\n', "line 6:", "must be a list"),
    ],
)
def test_a_fault_is_named_with_file_line_and_remedy(tmp_path: Path, text: str, where: str, what: str) -> None:
    """An operator would search a long file for a typing error."""
    error = _load(tmp_path, text)
    assert where in error
    assert what in error


def test_an_entry_that_is_wrong_is_one_fault(tmp_path: Path) -> None:
    """People would look for the entry that is said to be missing."""
    error = _load(tmp_path, _METER + "[[plans]]\nitems = [5]\n")
    assert ['line 6: plans[1].items[1]: must be a text, in quotes: "..."'] == error.splitlines()


def test_a_file_of_another_encoding_is_told_with_its_line(tmp_path: Path) -> None:
    """A Chinese name saved as GBK would be a riddle of byte positions."""
    path = tmp_path / "meterlink.toml"
    path.write_bytes(_METER.encode() + "# 厨房".encode("gbk"))
    with pytest.raises(ConfigError, match=r":5: octet B3H is no UTF-8; save the file as UTF-8"):
        load_settings(path)


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    """Some editors put one before the first letter, and a good file would be refused."""
    path = tmp_path / "meterlink.toml"
    path.write_text(_METER, encoding="utf-8-sig")
    assert ["m1"] == [meter.id for meter in load_settings(path).meters]


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    """Mending one fault at a time takes an evening."""
    error = _load(tmp_path, _METER.replace('"161"', "161") + "[[plans]]\nevery_s = 0\n")
    assert 2 == len(error.splitlines())


def test_a_secret_in_the_file_is_refused_and_not_repeated(tmp_path: Path) -> None:
    """A password would stand in a log."""
    error = _load(tmp_path, _METER + '[mqtt]\nurl = "mqtt://x"\npassword = "hunter2"\n')
    assert "by reference" in error
    assert "hunter2" not in error


def test_secrets_come_from_file_or_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reference that cannot be followed must say so before the broker refuses us."""
    (tmp_path / "secret").write_text("hunter2\n")
    monkeypatch.setenv("BROKER_PASSWORD", "hunter3")
    assert "hunter2" == SecretRef(f"file:{tmp_path}/secret").reveal()
    assert "hunter3" == SecretRef("env:BROKER_PASSWORD").reveal()
    for missing in ("env:NOT_SET", f"file:{tmp_path}/nothing"):
        with pytest.raises(ConfigError):
            SecretRef(missing).reveal()


def test_a_check_follows_every_reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that passes and a daemon that then refuses to start help nobody."""
    path = tmp_path / "meterlink.toml"
    path.write_text(
        _METER
        + '[mqtt]\nurl = "mqtt://x"\npassword = "env:BROKER_PASSWORD"\n'
        + f'[influx]\nurl = "http://x"\ntoken = "file:{tmp_path}/token"\n'
    )
    settings = load_settings(path)
    with pytest.raises(ConfigError, match=r"mqtt\.password.*BROKER_PASSWORD"):
        settings.check_secrets()
    monkeypatch.setenv("BROKER_PASSWORD", "hunter2")
    with pytest.raises(ConfigError, match=r"influx\.token"):
        settings.check_secrets()
    (tmp_path / "token").write_text("hunter3")
    settings.check_secrets()


def test_a_fault_of_the_environment_is_blamed_on_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line of the file is right; whoever looks there finds nothing."""
    monkeypatch.setenv("METERLINK_GATEWAY__ID", "a/b")
    error = _load(tmp_path, '[gateway]\nid = "good"\n' + _METER)
    assert "environment variable METERLINK_GATEWAY__ID" in error
    assert "line 2" not in error


def test_the_environment_overrides_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One image for many gateways needs a name from outside."""
    path = tmp_path / "meterlink.toml"
    path.write_text('[gateway]\nid = "a"\nsite = "s"\n' + _METER)
    monkeypatch.setenv("METERLINK_GATEWAY__ID", "b")
    settings = load_settings(path)
    assert ("b", "s") == (settings.gateway.id, settings.gateway.site)


def test_numbers_have_limits(tmp_path: Path) -> None:
    """A generated file by mistake must not start a thousand plans."""
    plans = "".join(f'[[plans]]\nname = "p{n}"\n' for n in range(PLANS_MAX))
    path = tmp_path / "meterlink.toml"
    path.write_text(_METER + plans)
    assert PLANS_MAX == len(load_settings(path).plans)
    assert f"at most {PLANS_MAX}" in _load(tmp_path, _METER + plans + '[[plans]]\nname = "more"\n')


def test_a_plan_of_freezes_has_its_own_defaults(tmp_path: Path) -> None:
    """What comes once a day would be asked for every minute, with items that no freeze has."""
    path = tmp_path / "meterlink.toml"
    path.write_text(
        _METER
        + '[[plans]]\nclass = "daily_freeze"\n'
        + '[[plans]]\nclass = "daily_freeze"\nname = "n"\nevery_s = 60\nitems = ["reverse_active_energy"]\n'
        + "[[plans]]\n"
    )
    freezes, own, instants = load_settings(path).plans
    assert ("daily_freeze", 900, ("forward_active_energy.*",)) == (
        freezes.name,
        freezes.every_s,
        freezes.items,
    )
    assert ("n", 60, ("reverse_active_energy",)) == (own.name, own.every_s, own.items)
    assert ("instant", "instant", 60) == (instants.name, instants.data_class, instants.every_s)


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    """A disk image given by mistake must not fill the memory."""
    path = tmp_path / "meterlink.toml"
    with path.open("wb") as file:
        file.truncate(FILE_MAX_OCTETS + 1)
    with pytest.raises(ConfigError, match="right file"):
        load_settings(path)


def test_the_data_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under systemd the journal must land in the state directory."""
    path = tmp_path / "meterlink.toml"
    path.write_text(_METER)
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", "/x")
    assert Path("/x/meterlink") == data_dir(load_settings(path))
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/meterlink")
    assert Path("/var/lib/meterlink") == data_dir(load_settings(path))
    path.write_text('[gateway]\ndata_dir = "/y"\n' + _METER)
    assert Path("/y") == data_dir(load_settings(path))


def test_places_in_a_file() -> None:
    """An error that points at the wrong line costs more time than none."""
    text = 'a = 1\n[t]\n"b" = 2\nc.d = 3\n[[x]]\ny = 1\n[[x]]\n# y\ny = 2\n'
    found = {
        place: line_of(text, place)
        for place in [
            ("a",),
            ("t", "b"),
            ("t", "c", "d"),
            ("x", 0, "y"),
            ("x", 1, "y"),
            ("x", 1, "z"),
            ("q",),
        ]
    }
    assert [1, 3, 4, 6, 9, 7, None] == list(found.values())


def test_line_urls() -> None:
    """A line opened with the wrong parity reads nothing but rubbish."""
    assert TcpUrl(host="h", port=5000) == parse_line_url("tcp://h:5000")
    assert "tcp://[::1]:5000" == str(parse_line_url("tcp://[::1]:5000"))
    serial = parse_line_url("serial:///dev/ttyUSB0")
    assert SerialUrl(device="/dev/ttyUSB0", baud=2400, parity="even") == serial
    assert "none" == parse_line_url("serial:///dev/x?baud=9600&parity=none").parity  # type: ignore[union-attr]
    listening = parse_line_url("listen://0.0.0.0:9000?terminal=161")
    assert ListenUrl(host="0.0.0.0", port=9000, terminal="000000000161") == listening
    assert "listen://[::]:0?terminal=000000000161" == str(parse_line_url("listen://[::]:0?terminal=161"))
    concentrator = parse_line_url("listen://0.0.0.0:9000?terminal=0171-02082")
    assert ListenUrl(host="0.0.0.0", port=9000, terminal="0171-2082") == concentrator
    assert ("gdw1376.1", "dlt698.45") == (concentrator.caller, listening.caller)
    dtu = parse_line_url("listen://0.0.0.0:9100?device=DTU+7%26a")
    assert ListenUrl(host="0.0.0.0", port=9100, device="DTU 7&a") == dtu
    assert dtu == parse_line_url(str(dtu))
    dialled = parse_line_url("tcp://h:7000?terminal=161")
    assert TcpUrl(host="h", port=7000, terminal="000000000161") == dialled == parse_line_url(str(dialled))
    assert "tcp h:7000" == dialled.place
    server = parse_line_url("rfc2217://h:7000?baud=9600")
    assert Rfc2217Url(host="h", port=7000, baud=9600, parity="even") == server == parse_line_url(str(server))


def test_what_may_keep_a_frame_is_not_ours(tmp_path: Path) -> None:
    """A trip that a concentrator delivers an hour later would be sent again, and obeyed twice."""
    urls = [
        "tcp://h:1",
        "rfc2217://h:2",
        "serial:///dev/x",
        "tcp://h:3?terminal=1",
        "tcp://h:4?terminal=0171-2082",
        "listen://0.0.0.0:1?terminal=1",
        "listen://0.0.0.0:2?device=x",
    ]
    found = [LineSettings.model_validate({"name": "l", "url": url}).is_ours for url in urls]
    assert [True, True, True, False, False, False, False] == found


def _listening(*urls: str) -> str:
    return "".join(
        f'[[meters]]\nid = "m{n}"\naddress = "{n}"\nline = "{url}"\n' for n, url in enumerate(urls, start=1)
    )


def test_one_port_serves_many_terminals(tmp_path: Path) -> None:
    """A port for each of a thousand concentrators would be a thousand holes in a firewall."""
    path = tmp_path / "meterlink.toml"
    urls = [f"listen://0.0.0.0:9000?terminal={n}" for n in (1, 22)]
    path.write_text(_listening(*urls, urls[0]))
    settings = load_settings(path)
    assert [("000000000001", 2), ("000000000022", 1)] == [
        (line.name, len(meters)) for line, meters in settings.meters_by_line()
    ]
    assert {"0.0.0.0:9000": ["000000000001", "000000000022"]} == settings.terminals_by_endpoint()


@pytest.mark.parametrize(
    ("urls", "what"),
    [
        (("listen://0.0.0.0:9000?terminal=1", "listen://127.0.0.1:9000?terminal=2"), "the same host"),
        (("listen://0.0.0.0:9000?terminal=1", "listen://0.0.0.0:9001?terminal=01"), "already that of line"),
        (
            ("listen://0.0.0.0:9000?terminal=1", "listen://0.0.0.0:9000?terminal=0171-1"),
            "one port serves one",
        ),
        (("listen://0.0.0.0:9000?device=a", "listen://0.0.0.0:9001?device=a"), "already that of line"),
        (("listen://0.0.0.0:9000",), "who calls?"),
        (("listen://0.0.0.0:9000?terminal=1&device=a",), "who calls?"),
        (("listen://0.0.0.0:9000?device=" + 65 * "a",), "1 to 64 printable"),
        (("listen://0.0.0.0:9000?terminal=171-2082",), "is written 0171-2082"),
        (("listen://0.0.0.0:9000?terminal=0171-65536",), "terminal = {wide = true}"),
        (("listen://0.0.0.0:9000?terminal=0171-0",), "1 to 65535"),
        (("listen://0.0.0.0:9000?terminal=440106-2082",), "terminal = {wide = true}"),
        (("listen://0.0.0.0:9000?terminal=44010-2082",), "is written 0171-2082"),
        (("listen://0.0.0.0:9000?terminal=440106-16777216",), "1 to 16777215"),
        (("listen://0.0.0.0:9000?terminal=000171-2082",), "write 0171-2082"),
        (("listen://0.0.0.0:9000?terminal=A1",), "12 decimal digits"),
        (("listen://0.0.0.0:9000?terminal=999999999999",), "broadcast"),
        (("listen://0.0.0.0:9000?terminal=1&terminal=2",), "given twice"),
        (("listen://0.0.0.0:9000?station=1",), "unknown option 'station'"),
        (("listen://0.0.0.0?terminal=1",), "with a port"),
        (("listen://:9000?terminal=1",), "listen://0.0.0.0:PORT"),
        (("listen://0.0.0.0:9000/x?terminal=1",), "listen://0.0.0.0:PORT"),
    ],
)
def test_a_wrong_listener_is_refused_with_the_remedy(
    tmp_path: Path, urls: tuple[str, ...], what: str
) -> None:
    """The daemon would find the port taken, by itself, at start; or a terminal would be let in nowhere."""
    assert what in _load(tmp_path, _listening(*urls))


@pytest.mark.parametrize(
    "url",
    [
        "tcp://h",
        "tcp://:1",
        "tcp://h:0",
        "tcp://h:99999",
        "tcp://h:1/x",
        "tcp://h:1?baud=9600",
        "rfc2217://h",
        "rfc2217://h:1?baud=1",
        "rfc2217://h:1/x",
        "serial://dev/tty",
        "serial:///dev/tty?baud=1",
        "serial:///dev/tty?parity=mark",
        "serial:///dev/tty?speed=1",
        "serial:///dev/tty?baud",
        "",
        "h:1",
    ],
)
def test_a_wrong_line_url_is_refused(url: str) -> None:
    """It would fail at night, not at the check."""
    with pytest.raises(ConfigError):
        parse_line_url(url)


def test_as_many_areas_as_are_told_apart_and_no_more() -> None:
    """A list without end would be walked through at each look at the clock."""
    areas = [f"a{number}" for number in range(AREAS_MAX + 1)]
    assert AREAS_MAX == len(BillingSettings.model_validate({"areas": areas[1:]}).areas)
    with pytest.raises(ValidationError, match=f"at most {AREAS_MAX}"):
        BillingSettings.model_validate({"areas": areas})
