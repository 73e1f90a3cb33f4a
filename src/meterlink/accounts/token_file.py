"""The tokens of a gateway: one small file that its user alone may read, replaced whole at each change."""

from __future__ import annotations

import fcntl
import json
import os
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

from meterlink.accounts.tokens import NAME_MAX, Entropy, Scope, Token, new_token
from meterlink.errors import BadRequest, TokensUnusable, Unknown, with_chinese

TOKEN_FILE: Final = "api-tokens.json"  # noqa: S105 (a file's name)
"""In the data directory."""
TOKENS_MAX: Final = 500
"""Tokens of a gateway, those that are no more good included."""
FILE_OCTETS_MAX: Final = 1024 * 1024
"""Largest file that is read: room for a thousand tokens with the longest names."""
FORMAT: Final = 1
_MODE: Final = 0o600

Signature = tuple[int, int, int]
"""What tells one state of a file from another without reading it."""


class TokenFile:
    """The file of a data directory.

    Args:
        folder: exists.

    """

    def __init__(self, folder: Path) -> None:
        self.path: Final = folder / TOKEN_FILE

    def signature(self) -> Signature | None:
        """Which state the file is in; ``None``: there is no file.

        Raises:
            TokensUnusable: that cannot be seen.

        """
        try:
            found = self.path.lstat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise TokensUnusable(f"{self.path}: cannot be read: {error.strerror}") from None
        return found.st_ino, found.st_ctime_ns, found.st_size

    def tokens(self) -> tuple[Token, ...]:
        """All that there are, oldest first.

        Raises:
            TokensUnusable: the file cannot be read, others may read it, or it is none.

        """
        try:
            octets = self._octets()
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise TokensUnusable(f"{self.path}: cannot be read: {error.strerror}") from None
        try:
            told = json.loads(octets)
            if told["format"] != FORMAT:
                raise ValueError(f"its format is not {FORMAT}")
            return tuple(Token.of_json(one) for one in told["tokens"])
        except (KeyError, TypeError, ValueError, RecursionError):
            raise TokensUnusable(
                f"{self.path}: this is no file of tokens: restore it, or move it away and make new tokens"
            ) from None

    def create(
        self, name: str, scopes: Iterable[Scope], *, now: datetime, expires_at: datetime, entropy: Entropy
    ) -> tuple[Token, str]:
        """Make a token; gives it, and what its holder shows: it is never shown again.

        Args:
            name: whose it is; no other good one may have it.
            scopes: at least one.
            now: aware, UTC.
            expires_at: aware, UTC.
            entropy: makes what nobody can guess.

        Raises:
            BadRequest: the name is taken or is none, there is no scope, or there are too many tokens.
            TokensUnusable: the file cannot be read or written.

        """
        wanted = frozenset(scopes)
        if not 1 <= len(name) <= NAME_MAX or not name.isprintable():
            raise with_chinese(
                BadRequest(f"a token's name has 1 to {NAME_MAX} characters that can be seen"),
                f"令牌名称须为1至{NAME_MAX}个可见字符",
            )
        if not wanted:
            raise with_chinese(
                BadRequest("a token is good for something: give at least one scope"),
                "请至少给出一项权限(--scope)",
            )
        if expires_at <= now:
            raise BadRequest("a token expires after it was made")
        token, shown = new_token(name, wanted, made_at=now, expires_at=expires_at, entropy=entropy)

        def with_one_more(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
            if len(tokens) >= TOKENS_MAX:
                raise with_chinese(
                    BadRequest(f"there are {TOKENS_MAX} tokens: forget some that are no more good"),
                    f"已有{TOKENS_MAX}个令牌:请清除失效的",
                )
            if any(one.name == name and one.state(now) == "good" for one in tokens):
                raise with_chinese(
                    BadRequest(f"{name!r} has a token that is good: revoke it first, or take another name"),
                    f"{name!r} 已有有效令牌:请先吊销,或换一个名称",
                )
            if any(one.id == token.id for one in tokens):
                raise BadRequest("the id that chance gave is taken: try again")
            return (*tokens, token)

        self._change(with_one_more)
        return token, shown

    def revoke(self, wanted: str, now: datetime) -> Token:
        """Let a token be good no more, from the next request on.

        Args:
            wanted: its id, or the name of the one that is good.
            now: aware, UTC.

        Raises:
            Unknown: there is none, or it is good no more.
            TokensUnusable: the file cannot be read or written.

        """
        revoked: list[Token] = []

        def without(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
            meant = [one for one in tokens if wanted in {one.id, one.name} and one.state(now) == "good"]
            if not meant:
                raise with_chinese(
                    Unknown(f"{wanted[:NAME_MAX]!r}: no good token has this id or name"),
                    f"没有编号或名称为 {wanted[:NAME_MAX]!r} 的有效令牌",
                )
            revoked.append(_revoked(meant[0], now))
            return tuple(revoked[0] if one is meant[0] else one for one in tokens)

        self._change(without)
        return revoked[0]

    def forget(self, now: datetime) -> int:
        """Take those out that are no more good; how many. The same errors as ``tokens``."""
        gone: list[Token] = []

        def good_ones(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
            gone.extend(one for one in tokens if one.state(now) != "good")
            return tuple(one for one in tokens if one.state(now) == "good")

        self._change(good_ones)
        return len(gone)

    def _octets(self) -> bytes:
        # Not to wait is for a pipe of that name: nobody would be let in, and nobody be told why.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with os.fdopen(os.open(self.path, flags), "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise TokensUnusable(f"{self.path}: this is no file: move it away and make new tokens")
            if found.st_mode & 0o077:
                raise TokensUnusable(
                    f"{self.path}: others may read it (mode {stat.S_IMODE(found.st_mode):o}), "
                    "so nobody is let in by it: chmod 600, and make the tokens anew"
                )
            octets = file.read(FILE_OCTETS_MAX + 1)
        if len(octets) > FILE_OCTETS_MAX:
            raise TokensUnusable(f"{self.path}: larger than {FILE_OCTETS_MAX} octets")
        return octets

    def _change(self, changed: Callable[[tuple[Token, ...]], tuple[Token, ...]]) -> None:
        """Read, change and replace; one changer at a time."""
        try:
            with self._alone() as folder:
                self._replace(changed(self.tokens()))
                os.fsync(folder)
        except OSError as error:
            raise TokensUnusable(f"{self.path}: cannot be written: {error.strerror}") from None

    @contextmanager
    def _alone(self) -> Iterator[int]:
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield folder
        finally:
            os.close(folder)

    def _replace(self, tokens: tuple[Token, ...]) -> None:
        told = {"format": FORMAT, "tokens": [one.as_json() for one in tokens]}
        descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{TOKEN_FILE}.")
        draft = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(file.fileno(), _MODE)
                if os.geteuid() == 0:  # root makes tokens, and the daemon's user has to read them
                    owner = self.path.parent.stat()
                    os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
                file.write(json.dumps(told, ensure_ascii=False, indent=1).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self.path)
        finally:
            draft.unlink(missing_ok=True)


def _revoked(token: Token, now: datetime) -> Token:
    return Token(
        id=token.id,
        name=token.name,
        scopes=token.scopes,
        sha256=token.sha256,
        made_at=token.made_at,
        expires_at=token.expires_at,
        revoked_at=now,
    )
