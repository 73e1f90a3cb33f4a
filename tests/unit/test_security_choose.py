"""Which security a meter gets: what the configuration says, refused where that is too little."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime
from pathlib import Path

import pytest

from meterlink.clock import SystemClock
from meterlink.config import Settings, load_settings
from meterlink.config.security import ARGUMENTS_MAX, PROVIDERS_MAX, SecurityProviderSettings
from meterlink.daemon.settings_check import check_items
from meterlink.drivers.control import Cause, ControlAnswer, Verdict
from meterlink.drivers.profiles import MeterProfiles
from meterlink.drivers.proving import Plain
from meterlink.errors import ConfigError, LineLost, SecurityFailed
from meterlink.security.adapter import Opener
from meterlink.security.choose import CONTROL_PASSWORD_MAX, Securities, check_security, opener
from meterlink.security.external import ExternalProvider
from meterlink.security.latch import CAUSES, CODES, MacLatch, shuts
from meterlink.transports.adapter import AdapterStream
from metersim import Simulation
from tests.support.adapters import Program

_AT = datetime(2026, 11, 22, 7, tzinfo=UTC)
_METER = '[[meters]]\nid = "m1"\naddress = "161"\nline = "tcp://127.0.0.1:5000"\n'
_HSM = '[[security_providers]]\nname = "hsm"\nurl = "tcp://127.0.0.1:9645"\n'
_PLAIN = 'security = "password"\ncontrol_password = "env:CONTROL_PASSWORD"\n'
_ALLOWED = "allow_plaintext_control = true\n"


def _settings(folder: Path, text: str) -> Settings:
    path = folder / "meterlink.toml"
    path.write_text(text, encoding="utf-8")
    return load_settings(path)


def _no_way(_: SecurityProviderSettings) -> Opener:
    async def open_it() -> AdapterStream:
        raise LineLost("nobody is there")

    return open_it


def _securities(settings: Settings) -> Securities:
    return Securities(settings, MeterProfiles(), rng=random.Random(1), opener_of=_no_way)


# --- the configuration ---


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (
            _METER + 'security = "hms"\n' + _HSM,
            "no security provider is named 'hms' (there are: password, hsm)",
        ),
        (_METER + 'security = "password"\n', "give both"),
        (_METER + 'control_password = "env:X"\n', "give both"),
        (_METER + 'security = "hsm"\ncontrol_password = "env:X"\n' + _HSM, "give both"),
        (_METER + _PLAIN.replace("env:CONTROL_PASSWORD", "31415926"), "by reference"),
        (_METER + "control_level = 100\n", "less than or equal to 99"),
        (_METER + _HSM + _HSM, "two [[security_providers]] have the same name 'hsm'"),
        (_METER + _HSM.replace('"hsm"', '"password"'), "cannot be called password"),
        (_METER + _HSM + 'command = ["adapter"]\n', "either a command or a url"),
        (_METER + '[[security_providers]]\nname = "hsm"\n', "either a command or a url"),
        (_METER + '[[security_providers]]\nname = "hsm"\ncommand = [" "]\n', "name of a program"),
        (_METER + _HSM.replace("tcp://127.0.0.1:9645", "http://x:1"), "unix:///path"),
        (_METER + _HSM.replace("tcp://127.0.0.1:9645", "tcp://x"), "unix:///path"),
        (_METER + _HSM.replace("tcp://127.0.0.1:9645", "tcp://u:secret@x:1"), "unix:///path"),
        (_METER + _HSM.replace("tcp://127.0.0.1:9645", "tcp://x:99999"), "unix:///path"),
        (_METER + _HSM.replace("tcp://127.0.0.1:9645", "unix://x"), "unix:///path"),
        (_METER + _HSM + "timeout_s = 11\n", "less than or equal to 10"),
        (_METER + _HSM + "timeout = 1\n", "did you mean 'timeout_s'?"),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, what: str) -> None:
    """A meter that is to be proved to by somebody else than the file says would be found in the night."""
    with pytest.raises(ConfigError) as caught:
        _settings(tmp_path, text)
    assert what in str(caught.value)
    assert "31415926" not in str(caught.value)
    assert "secret@" not in str(caught.value)


def test_as_many_as_may_be(tmp_path: Path) -> None:
    """At the limit a configuration is taken, one more and it is not."""
    many = [_HSM.replace('"hsm"', f'"hsm{n}"') for n in range(PROVIDERS_MAX + 1)]
    assert PROVIDERS_MAX == len(_settings(tmp_path, _METER + "".join(many[:-1])).security_providers)
    with pytest.raises(ConfigError):
        _settings(tmp_path, _METER + "".join(many))
    command = '[[security_providers]]\nname = "hsm"\ncommand = [' + '"a", ' * ARGUMENTS_MAX + "]\n"
    assert _settings(tmp_path, _METER + command).security_providers[0].command
    with pytest.raises(ConfigError):
        _settings(tmp_path, _METER + command.replace("[", '["a", ').replace('["a", ["a", ', "[["))


def test_a_password_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`meterlink config check` follows every reference, this one too."""
    monkeypatch.delenv("CONTROL_PASSWORD", raising=False)
    with pytest.raises(ConfigError, match="control_password"):
        _settings(tmp_path, _METER + _PLAIN + _ALLOWED).check_secrets()


# --- the choice ---


def test_each_meter_gets_its_own(tmp_path: Path) -> None:
    """A meter without security gets no orders; one with a provider gets that and nothing else."""
    settings = _settings(
        tmp_path, _METER + _METER.replace("m1", "m2").replace("161", "162") + 'security = "hsm"\n' + _HSM
    )
    securities = _securities(settings)
    with pytest.raises(SecurityFailed) as caught:
        securities.of(settings.meters[0])
    assert "none" == caught.value.code
    found = securities.of(settings.meters[1])
    assert isinstance(found, ExternalProvider)
    assert "ExternalProvider('hsm')" == repr(found)


@pytest.mark.parametrize("lab", [True, False])
def test_a_laboratory_serves_the_meters_that_are_marked(tmp_path: Path, lab: bool) -> None:
    """CTRL-25: the mark of the configuration is what counts, and nothing else."""
    settings = _settings(tmp_path, _METER + f'security = "hsm"\nlab = {str(lab).lower()}\n' + _HSM)

    async def scene() -> str:
        async with asyncio.TaskGroup() as programs:
            program = Program(programs, name="lab")
            securities = Securities(
                settings, MeterProfiles(), rng=random.Random(1), opener_of=lambda _: program.open
            )
            found = securities.of(settings.meters[0])
            assert isinstance(found, ExternalProvider)
            try:
                await found.auth645(bytes(8))
                outcome = "done"
            except SecurityFailed as failure:
                outcome = failure.code
            await securities.aclose()
            await program.end()
        return outcome

    assert ("done" if lab else "lab_provider") == Simulation().run(scene())


@pytest.mark.parametrize("password", ["31415926", "x" * CONTROL_PASSWORD_MAX])
def test_a_password_needs_a_word_of_permission(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    """Section 7.1: `password` would otherwise trip a customer's meter by a word that the whole line hears."""
    monkeypatch.setenv("CONTROL_PASSWORD", password)
    forbidden = _settings(tmp_path, _METER + _PLAIN)
    with pytest.raises(ConfigError, match="allow_plaintext_control = true"):
        check_security(forbidden, MeterProfiles())
    with pytest.raises(ConfigError, match="allow_plaintext_control = true"):
        check_items(forbidden, SystemClock(), MeterProfiles())
    with pytest.raises(SecurityFailed) as caught:
        _securities(forbidden).of(forbidden.meters[0])
    assert "plaintext" == caught.value.code
    allowed = _settings(tmp_path, _METER + _PLAIN + _ALLOWED + "control_level = 4\n")
    check_security(allowed, MeterProfiles())
    found = _securities(allowed).of(allowed.meters[0])
    assert isinstance(found, Plain)
    assert (4, password) == (found.level, found.password())
    assert password not in repr(found)


def test_a_profile_may_permit_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sub-meters of one model come by the hundred."""
    monkeypatch.setenv("CONTROL_PASSWORD", "123456")
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "sub.yaml").write_text(
        'profile: site/sub\nmatches: {protocol: dlt645-2007, model: "SUB*"}\n'
        "line: {baud: 2400, parity: even, preamble: 4}\n"
        "timing: {reply_timeout_ms: 500, octet_gap_ms: 500, turnaround_ms: 20}\n"
        "control: {allow_plaintext_control: true}\n",
        encoding="utf-8",
    )
    settings = _settings(tmp_path, _METER + _PLAIN + 'model = "SUB1"\n')
    profiles = MeterProfiles(tmp_path / "profiles")
    check_security(settings, profiles)
    found = Securities(settings, profiles, rng=random.Random(1)).of(settings.meters[0])
    assert isinstance(found, Plain)


@pytest.mark.parametrize("password", ["", "x" * (CONTROL_PASSWORD_MAX + 1), "sp\tace", "密码"])
def test_a_password_that_cannot_be_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    """The order fails before anything leaves, and its words do not repeat what was wrong."""
    monkeypatch.setenv("CONTROL_PASSWORD", password)
    settings = _settings(tmp_path, _METER + _PLAIN + _ALLOWED)
    found = _securities(settings).of(settings.meters[0])
    assert isinstance(found, Plain)
    with pytest.raises(SecurityFailed) as caught:
        found.password()
    assert "bad_password" == caught.value.code
    assert not password or password not in str(caught.value)
    monkeypatch.delenv("CONTROL_PASSWORD")
    with pytest.raises(SecurityFailed) as caught:
        found.password()
    assert "away" == caught.value.code


@pytest.mark.parametrize(
    ("text", "function"),
    [
        ('command = ["adapter", "--port", "7"]', "open_process"),
        ('url = "tcp://127.0.0.1:9645"', "open_tcp"),
        ('url = "unix:///run/hsm"', "open_unix"),
    ],
)
def test_how_a_provider_is_reached(tmp_path: Path, text: str, function: str) -> None:
    """The key decides; a command is never given to a shell."""
    settings = _settings(tmp_path, _METER + f'[[security_providers]]\nname = "hsm"\n{text}\n')
    found = opener(settings.security_providers[0])
    assert function == found.func.__name__  # type: ignore[attr-defined]


# --- after a wrong MAC ---


def test_which_outcomes_shut_a_meter() -> None:
    """Section 1.3: meters lock themselves after a few wrong MACs, and a wrong one does not become right."""
    assert [code for code in sorted(CODES) if shuts(SecurityFailed("x", code=code))] == sorted(CODES)
    assert not [code for code in ("away", "slow", "rubbish") if shuts(SecurityFailed("x", code=code))]
    shutting = [cause for cause in Cause if shuts(ControlAnswer(verdict=Verdict.REJECTED, cause=cause))]
    assert set(shutting) == set(CAUSES)
    assert not shuts(ControlAnswer(verdict=Verdict.ACCEPTED, cause=Cause.MAC))


def test_a_meter_is_shut_until_a_person_opens_it() -> None:
    """The state is what the log says: a daemon that starts anew would forget, and try again."""
    latch = MacLatch.of("m1", [])
    latch.check()
    shut = latch.shut(at=_AT, order="o1", code="mac")
    assert ("mac:m1", 1, "meterlink", True) == (shut.subject, shut.step, shut.actor, shut.is_open)
    closed = MacLatch.of("m1", [shut])
    with pytest.raises(SecurityFailed, match="'o1'") as caught:
        closed.check()
    assert "shut" == caught.value.code
    assert not shuts(caught.value)
    for reason in ("", "  "):
        with pytest.raises(ValueError, match="says why"):
            closed.open(at=_AT, actor="wang", reason=reason)
    opened = closed.open(at=_AT, actor="wang", reason="keys were those of another province")
    assert (2, "wang", False) == (opened.step, opened.actor, opened.is_open)
    again = MacLatch.of("m1", [shut, opened])
    again.check()
    assert 3 == again.shut(at=_AT, order="o2", code="mac").step
    with pytest.raises(ValueError, match="is shut"):
        again.open(at=_AT, actor="wang", reason="once more")
