"""A unix socket that waits for callers, in the place of one that a dead process left."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path
from typing import Final

from meterlink.errors import LineBusy, LineLost

_BACKLOG: Final = 256
_MODE: Final = 0o660


def unix_listener(path: Path, near: str, *, called: str) -> socket.socket:
    """A listening socket that its owner and group alone may open.

    Args:
        path: of the socket; what is left there of a process that died is taken away.
        near: a way to it that is short enough for the kernel, see ``short_path``.
        called: what people call it.

    Raises:
        LineBusy: another process answers there, or the file is no socket.
        LineLost: it cannot be made.

    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _clear(path, near)
        umask = os.umask(0o777 & ~_MODE)
        try:
            listener.bind(near)
        finally:
            os.umask(umask)
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise LineLost(f"{path}: {called} cannot be made: {error.strerror or error}") from None
    except BaseException:
        listener.close()
        raise
    return listener


def _clear(path: Path, near: str) -> None:
    """Take away the socket of a daemon that died; never one at which somebody answers."""
    try:
        if not stat.S_ISSOCK(Path(near).stat().st_mode):
            raise LineBusy(f"{path}: a file that is no socket stands where ours belongs; take it away")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(near)
        except ConnectionRefusedError:
            Path(near).unlink(missing_ok=True)
            return
    raise LineBusy(f"{path}: another daemon answers there")
