"""Secrets stand elsewhere: what the configuration holds is where."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from meterlink.config.fault import Fault
from meterlink.errors import ConfigError


class SecretRef(str):
    """Where a secret stands: ``file:/path`` or ``env:NAME``; never the secret itself."""

    __slots__ = ()

    def reveal(self) -> str:
        """Fetch the secret; the one place of ``config`` that reads another file or variable.

        Raises:
            ConfigError: there is nothing there.

        """
        kind, _, where = self.partition(":")
        if kind == "env":
            secret = os.environ.get(where)
            if secret is None:
                raise ConfigError(f"the environment variable {where} is not set", f"未设置环境变量 {where}")
            return secret
        try:
            return Path(where).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"cannot read the secret file {where}: {error}", f"无法读取密码或令牌文件 {where}:{error}"
            ) from None


def _secret_ref(text: str) -> SecretRef:
    kind, _, where = text.partition(":")
    if kind not in ("file", "env") or not where:
        # The text may be the secret itself: it is not repeated.
        raise Fault(
            "a secret is given by reference: file:/path/to/secret or env:VARIABLE",
            "密码或令牌须以引用方式给出:file:/路径 或 env:变量名",
        )
    return SecretRef(text)


Secret = Annotated[str, AfterValidator(_secret_ref)]
