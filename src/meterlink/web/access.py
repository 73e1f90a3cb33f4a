"""Who may ask what: a bearer token, and the scope that an endpoint needs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final

import structlog
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from meterlink.accounts.tokens import Scope, Token
from meterlink.errors import TokenRefused, TokensUnusable
from meterlink.web.problems import BUSY_RETRY_S, Problem
from meterlink.web.world import Here

_BEARER: Final = HTTPBearer(
    auto_error=False, scheme_name="token", description="Made by `meterlink token create`; shown once."
)
_CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="meterlink"'}
_log = structlog.get_logger(__name__)


def needs(scope: Scope) -> Any:
    """What an endpoint depends on that only holders of a scope may ask.

    Args:
        scope: which.

    """
    return Depends(_guard(scope))


def _guard(scope: Scope) -> Callable[..., Awaitable[Token]]:
    async def guard(
        request: Request,
        here: Here,
        shown: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
    ) -> Token:
        if len(request.headers.getlist("authorization")) > 1:
            raise Problem("wrong-token", "there are two Authorization headers", "Send one.", _CHALLENGE)
        if shown is None:
            raise Problem(
                "no-token",
                "the request has no Authorization: Bearer header",
                "Ask the gateway's admin for a token: `meterlink token create`.",
                _CHALLENGE,
            )
        token = await _let_in(here, shown.credentials)
        if scope not in token.scopes:
            raise Problem(
                "wrong-scope",
                f"the token is good for {', '.join(sorted(one.value for one in token.scopes))}",
                f"This needs {scope.value}: make a token that has it.",
            )
        return token

    return guard


async def _let_in(here: Here, shown: str) -> Token:
    """The token that somebody shows.

    Raises:
        Problem: it is not good, or whether it is cannot be seen.

    """
    try:
        return await here.readers.beside(lambda: here.doorkeeper.let_in(shown))
    except TokenRefused as error:
        wait_s = here.patience.try_again_s()
        if wait_s is not None:
            raise Problem(
                "too-many",
                "too many requests with tokens that are not good",
                f"Come again after {wait_s} s, with one that is.",
                {"Retry-After": str(wait_s)},
            ) from None
        _log.warning("web.token_refused", refused=here.patience.refused)
        raise Problem(
            "wrong-token",
            str(error),
            "Use one that `meterlink token list` calls good.",
            {"WWW-Authenticate": f'{_CHALLENGE["WWW-Authenticate"]}, error="invalid_token"'},
        ) from None
    except TokensUnusable as error:
        _log.error("web.tokens_unusable", reason=str(error))
        raise Problem(
            "unavailable",
            "the gateway cannot look tokens up: see its log",
            "Try again when it is mended.",
            {"Retry-After": str(BUSY_RETRY_S)},
        ) from None
