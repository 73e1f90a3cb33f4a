"""Tokens: shown once, kept as a hash, good until they expire or are revoked, and never written anywhere."""

from __future__ import annotations

import json
import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from meterlink.accounts import tokens as tokens_module
from meterlink.accounts.doorkeeper import REFUSALS_AT_ONCE, Doorkeeper, Patience
from meterlink.accounts.token_file import FILE_OCTETS_MAX, TOKENS_MAX, TokenFile
from meterlink.accounts.tokens import NAME_MAX, Scope, Token, holder_of, new_token
from meterlink.cli import app
from meterlink.errors import BadRequest, TokenRefused, TokensUnusable, Unknown
from tests.support.web import NOW, Hands

DAY = timedelta(days=1)


def _make(file: TokenFile, name: str = "billing", *, number: int = 1, days: int = 1) -> tuple[Token, str]:
    return file.create(
        name,
        [Scope.FREEZE],
        now=NOW,
        expires_at=NOW + days * DAY,
        entropy=lambda octets: number.to_bytes(octets, "big"),
    )


def test_a_token_is_kept_as_a_hash_that_nobody_else_reads(tmp_path: Path) -> None:
    """Who reads the file, or a copy of it, could ask in billing's name."""
    token, shown = _make(TokenFile(tmp_path))
    path = tmp_path / "api-tokens.json"
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    assert shown.rpartition("_")[2] not in path.read_text(encoding="utf-8")
    assert shown.rpartition("_")[2] not in repr(token)
    assert ["api-tokens.json"] == [one.name for one in tmp_path.iterdir()], "no draft stays"


@given(st.text(max_size=70))
def test_no_other_text_is_a_token(text: str) -> None:
    """A text that is near, or that nobody thought of, would be let in or end the request with a crash."""
    token, shown = new_token(
        "x", [Scope.FREEZE], made_at=NOW, expires_at=NOW + DAY, entropy=lambda octets: b"\1" * octets
    )
    assert token is holder_of(shown, [token], NOW)
    for wrong in (text, shown + text if text else "", shown[: len(text)], shown.upper()):
        assert holder_of(wrong, [token], NOW) is None


def test_whoever_is_refused_waits_for_the_same_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time of a refusal would tell which ids there are, or how much of a secret is right."""
    token, shown = new_token(
        "x", [Scope.FREEZE], made_at=NOW, expires_at=NOW + DAY, entropy=lambda octets: b"\1" * octets
    )
    compared: list[tuple[int, int]] = []

    def watched(one: str, other: str) -> bool:
        compared.append((len(one), len(other)))
        return one == other

    monkeypatch.setattr(tokens_module, "compare_digest", watched)
    for wrong in ("", "mlt_ffffffff_" + "0" * 64, shown[:-1] + "2", "x" * 5_000):
        assert holder_of(wrong, [token], NOW) is None
    assert [(64, 64)] * 4 == compared


def test_a_token_ends_when_it_expires_or_is_revoked(tmp_path: Path) -> None:
    """Somebody who left could go on asking; or a file that changed would not be looked at again."""
    file, clock = TokenFile(tmp_path), Hands()
    keeper = Doorkeeper(file, clock)
    token, shown = _make(file)
    other, its = _make(file, "other", number=2, days=10)
    assert token == keeper.let_in(shown)
    clock.now = NOW + DAY
    with pytest.raises(TokenRefused):
        keeper.let_in(shown)
    assert other == keeper.let_in(its)
    assert clock.now == file.revoke("other", clock.now).revoked_at
    with pytest.raises(TokenRefused) as refused:
        keeper.let_in(its)
    assert its not in str(refused.value)
    with pytest.raises(Unknown):
        file.revoke("other", clock.now)
    assert ["expired", "revoked"] == [one.state(clock.now) for one in file.tokens()]
    assert 2 == file.forget(clock.now)
    assert () == file.tokens()


def test_a_name_has_one_good_token(tmp_path: Path) -> None:
    """Who revokes a name would leave another token of it good."""
    file = TokenFile(tmp_path)
    _make(file)
    with pytest.raises(BadRequest, match="revoke it first"):
        _make(file, number=2)
    with pytest.raises(BadRequest, match="try again"):
        _make(file, "other")
    file.revoke("billing", NOW)
    _make(file, number=2)
    for name in ("", "x" * (NAME_MAX + 1), "a\nb"):
        with pytest.raises(BadRequest, match="name"):
            _make(file, name, number=3)
    with pytest.raises(BadRequest, match="scope"):
        file.create("c", [], now=NOW, expires_at=NOW + DAY, entropy=os.urandom)
    with pytest.raises(BadRequest, match="expires"):
        file.create("c", [Scope.FREEZE], now=NOW, expires_at=NOW, entropy=os.urandom)


def test_there_is_an_end_to_tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop that makes tokens would grow a file that each request reads."""
    monkeypatch.setattr("meterlink.accounts.token_file.TOKENS_MAX", 2)
    file = TokenFile(tmp_path)
    _make(file)
    _make(file, "b", number=2)
    with pytest.raises(BadRequest, match="there are 2 tokens"):
        _make(file, "c", number=3)
    token, _ = new_token(
        "名" * NAME_MAX, Scope, made_at=NOW, expires_at=NOW + DAY, entropy=lambda octets: b"\1" * octets
    )
    longest = len(json.dumps(token.as_json(), ensure_ascii=False, indent=1).encode()) * 2
    assert TOKENS_MAX * longest < FILE_OCTETS_MAX, "a full file is still read"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"format": 2, "tokens": []}',
        '{"format": 1, "tokens": [{}]}',
        "[" * 5_000,
        "x" * (2**20 + 1),
    ],
)
def test_a_damaged_file_lets_nobody_in(tmp_path: Path, content: str) -> None:
    """Half a file would pass for a gateway without tokens, or crash it."""
    path = tmp_path / "api-tokens.json"
    path.write_text(content, encoding="utf-8")
    path.chmod(0o600)
    with pytest.raises(TokensUnusable, match=r"api-tokens\.json"):
        Doorkeeper(TokenFile(tmp_path), Hands()).let_in("x")
    with pytest.raises(TokensUnusable):
        _make(TokenFile(tmp_path))
    assert content == path.read_text(encoding="utf-8"), "what may be mended is not written over"


def test_a_file_that_others_read_lets_nobody_in(tmp_path: Path) -> None:
    """Who copied the file would not be noticed; a link would lead to a file of somebody else's."""
    _, shown = _make(TokenFile(tmp_path))
    path = tmp_path / "api-tokens.json"
    path.chmod(0o640)
    with pytest.raises(TokensUnusable, match="others may read it"):
        Doorkeeper(TokenFile(tmp_path), Hands()).let_in(shown)
    path.chmod(0o600)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(TokensUnusable):
        Doorkeeper(TokenFile(tmp_path), Hands()).let_in(shown)


def test_refusals_become_slow_and_forgive() -> None:
    """Somebody could try as fast as the machine answers; or one burst would last for ever."""
    clock = Hands()
    patience = Patience(clock)
    assert [None] * REFUSALS_AT_ONCE == [patience.try_again_s() for _ in range(REFUSALS_AT_ONCE)]
    assert 1 == patience.try_again_s()
    clock.passed_s += 2
    assert [None, None, 1] == [patience.try_again_s() for _ in range(3)]
    assert REFUSALS_AT_ONCE + 4 == patience.refused
    clock.passed_s += 1e6
    assert REFUSALS_AT_ONCE == sum(patience.try_again_s() is None for _ in range(REFUSALS_AT_ONCE + 5))


def _run(folder: Path, *words: str) -> tuple[int, str, str]:
    config = folder / "meterlink.toml"
    config.write_text(f'[gateway]\ndata_dir = "{folder / "data"}"\n', encoding="utf-8")
    ended = CliRunner().invoke(app, ["token", *words, "--config", str(config)], env={"COLUMNS": "200"})
    return ended.exit_code, ended.stdout, ended.stderr


def test_the_commands(tmp_path: Path) -> None:
    """Nobody could let billing in, see who is let in, or shut the door."""
    code, out, err = _run(tmp_path, "create", "billing", "--scope", "freeze:read", "--days", "30")
    shown, now = out.strip(), datetime.now(UTC)
    assert 0 == code
    assert shown not in err
    held = Doorkeeper(TokenFile(tmp_path / "data"), Hands(now)).let_in(shown)
    assert {Scope.FREEZE} == held.scopes
    assert 29 * DAY < held.expires_at - now <= 30 * DAY
    code, out, _ = _run(tmp_path, "list", "--json")
    [told] = json.loads(out)["tokens"]
    assert (0, "billing", "good") == (code, told["name"], told["state"])
    assert not {"sha256", "token"} & set(told)
    assert shown.rpartition("_")[2] not in _run(tmp_path, "list")[1]
    assert 0 == _run(tmp_path, "revoke", "billing")[0]
    assert 1 == _run(tmp_path, "revoke", "billing")[0]
    assert "revoked" in _run(tmp_path, "list")[1]
    assert "mlt_" in json.loads(_run(tmp_path, "create", "b", "--scope", "freeze:read", "--json")[1])["token"]


def test_a_wrong_scope_makes_no_token(tmp_path: Path) -> None:
    """A token for nothing, or for more than was meant, would be handed out."""
    code, out, err = _run(tmp_path, "create", "b", "--scope", "freeze:write")
    assert (2, "") == (code, out)
    assert "there are freeze:read" in err
    assert 2 == _run(tmp_path, "create", "b")[0]


def test_the_commands_speak_chinese(tmp_path: Path) -> None:
    """Who set up a gateway in Chinese would read English at the one thing that is shown once."""
    name = ["create", "营销系统", "--scope", "freeze:read", "--lang", "zh"]
    code, out, err = _run(tmp_path, *name)
    assert (0, True, True) == (code, out.startswith("mlt_"), err.startswith("营销系统的令牌"))
    assert (2, "'营销系统' 已有有效令牌:请先吊销,或换一个名称\n") == _run(tmp_path, *name)[::2]
    listed = _run(tmp_path, "list", "--lang", "zh")[1]
    assert ["编号", "名称", "状态", "有效期至", "权限"] == listed.splitlines()[0].split()
    assert "有效" == listed.splitlines()[1].split()[2]
    assert (2, True) == (
        (no := _run(tmp_path, "create", "b", "--scope", "x", "--lang", "zh"))[0],
        no[2].startswith("没有权限 'x',可选:freeze:read"),
    )
    assert _run(tmp_path, "revoke", "营销系统", "--lang", "zh")[2].endswith("已吊销\n")
    assert (1, "没有编号或名称为 '营销系统' 的有效令牌\n") == (
        _run(tmp_path, "revoke", "营销系统", "--lang", "zh")[::2]
    )


def test_a_pipe_or_a_file_without_end_lets_nobody_in(tmp_path: Path) -> None:
    """Whoever looks a token up would wait for the other end of the pipe, or read until the memory is full."""
    file = TokenFile(tmp_path)
    os.mkfifo(file.path, 0o600)
    with pytest.raises(TokensUnusable, match="no file"):
        file.tokens()
    file.path.unlink()
    empty = b'{"format": 1, "tokens": []}'
    file.path.touch(0o600)
    file.path.write_bytes(empty.ljust(FILE_OCTETS_MAX))
    assert () == file.tokens()
    file.path.write_bytes(empty.ljust(FILE_OCTETS_MAX + 1))
    with pytest.raises(TokensUnusable, match="larger than"):
        file.tokens()
