"""``meterlink token``: who may pull from the daemon's API, and what."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from meterlink.cli.exit_codes import ExitCode
from meterlink.cli.journal_file import folder_of
from meterlink.cli.language import Lang, chosen
from meterlink.cli.options import FIRST_CONFIG, AsJson, Config, Language
from meterlink.cli.saying import say

if TYPE_CHECKING:
    from meterlink.accounts.token_file import TokenFile
    from meterlink.errors import MeterlinkError

app = typer.Typer(no_args_is_help=True, help="Who may pull from the daemon's API, and what. 接口令牌。")

DAYS_MAX: Final = 3_660
"""Longest life of a token: ten years."""
DAYS: Final = 365
_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        "scope": "scope {scope!r}: there are {there}",
        "made": "token {id} of {name}, until {until}; shown this once:",
        "revoked_now": "token {id} of {name} is revoked",
        "no_folder": "{folder}: cannot be made: {why}",
        "heads": "id|name|state|until|good for",
        "good": "good",
        "expired": "expired",
        "revoked": "revoked",
    },
    "zh": {
        "scope": "没有权限 {scope!r},可选:{there}",
        "made": "{name}的令牌{id},有效期至{until};仅显示这一次:",
        "revoked_now": "{name}的令牌{id}已吊销",
        "no_folder": "{folder}:无法创建:{why}",
        "heads": "编号|名称|状态|有效期至|权限",
        "good": "有效",
        "expired": "已过期",
        "revoked": "已吊销",
    },
}


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Whose it is.")],
    scope: Annotated[
        list[str],
        typer.Option(
            help="What it is good for: freeze:read, consumption:read, settlement:read, completeness:read. "
            "May be repeated.",
            show_default=False,
        ),
    ],
    days: Annotated[int, typer.Option(min=1, max=DAYS_MAX, help="Days until it expires.")] = DAYS,
    config: Config = FIRST_CONFIG,
    as_json: AsJson = False,
    lang: Language = None,
) -> None:
    """Make a token and print it: it is shown this once, and only a hash of it is kept. 新建。

    Works while the daemon runs, which takes it from the next request on.

    \b
    Examples:
      meterlink token create billing --scope freeze:read --scope settlement:read
      meterlink token create auditors --scope completeness:read --days 30 --lang zh

    \b
    Exit codes: 0 made; 1 the file of tokens cannot be used; 2 wrong arguments or configuration.
    """
    import secrets
    from datetime import UTC, datetime, timedelta

    from meterlink.accounts.tokens import Scope

    words = _WORDS[chosen(lang)]
    known = {one.value: one for one in Scope}
    if wrong := [one for one in scope if one not in known]:
        say(words["scope"].format(scope=wrong[0], there=", ".join(known)), err=True)
        raise typer.Exit(ExitCode.USAGE)
    now = datetime.now(UTC)
    with _tokens(config, lang) as file:
        token, shown = file.create(
            name,
            [known[one] for one in scope],
            now=now,
            expires_at=now + timedelta(days=days),
            entropy=secrets.token_bytes,
        )
    if as_json:
        say(json.dumps({**_told(token.as_json()), "token": shown}, ensure_ascii=False))
        return
    until = f"{token.expires_at:%Y-%m-%d}"
    say(words["made"].format(id=token.id, name=token.name, until=until), err=True)
    say(shown)


@app.command("list")
def show(config: Config = FIRST_CONFIG, as_json: AsJson = False, lang: Language = None) -> None:
    """Show the tokens that there are, without their secrets. 列出。

    \b
    Example:
      meterlink token list --lang zh

    \b
    Exit codes: 0 shown; 1 the file of tokens cannot be used; 2 wrong configuration.
    """
    from datetime import UTC, datetime

    from rich.table import Table

    from meterlink.cli.tables import print_table

    now = datetime.now(UTC)
    with _tokens(config, lang) as file:
        tokens = file.tokens()
    if as_json:
        told = [{**_told(one.as_json()), "state": one.state(now)} for one in tokens]
        say(json.dumps({"tokens": told}, ensure_ascii=False))
        return
    words = _WORDS[chosen(lang)]
    table = Table(*words["heads"].split("|"), box=None, pad_edge=False)
    for one in tokens:
        scopes = " ".join(sorted(scope.value for scope in one.scopes))
        table.add_row(one.id, one.name, words[one.state(now)], f"{one.expires_at:%Y-%m-%d}", scopes)
    print_table(table)


@app.command()
def revoke(
    token: Annotated[str, typer.Argument(help="Its id, or the name of the one that is good.")],
    config: Config = FIRST_CONFIG,
    lang: Language = None,
) -> None:
    """Let a token be good no more, from the next request on. 吊销。

    \b
    Example:
      meterlink token revoke billing

    \b
    Exit codes: 0 revoked; 1 no good token is called so, or the file cannot be used; 2 wrong configuration.
    """
    from datetime import UTC, datetime

    with _tokens(config, lang) as file:
        revoked = file.revoke(token, datetime.now(UTC))
    say(_WORDS[chosen(lang)]["revoked_now"].format(id=revoked.id, name=revoked.name), err=True)


@contextmanager
def _tokens(config: Path, lang: Lang | None) -> Iterator[TokenFile]:
    """The file of a configuration; ends the command where it cannot do what is asked."""
    from meterlink.accounts.token_file import TokenFile
    from meterlink.errors import BadRequest, TokensUnusable, Unknown

    folder = folder_of(config)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        yield TokenFile(folder)
    except BadRequest as error:
        say(_told_of(error, lang), err=True)
        raise typer.Exit(ExitCode.USAGE) from None
    except (TokensUnusable, Unknown) as error:
        say(_told_of(error, lang), err=True)
        raise typer.Exit(ExitCode.FAILURE) from None
    except OSError as error:
        words = _WORDS[chosen(lang)]["no_folder"]
        say(words.format(folder=folder, why=error.strerror), err=True)
        raise typer.Exit(ExitCode.FAILURE) from None


def _told_of(error: MeterlinkError, lang: Lang | None) -> str:
    if chosen(lang) == "en":
        return str(error)
    return error.zh or f"令牌文件无法使用:{error}"


def _told(document: dict[str, object]) -> dict[str, object]:
    """Without the hash: who has it cannot ask with it, and nobody needs it."""
    return {key: value for key, value in document.items() if key != "sha256"}
