"""Answers: whole or piece by piece, compressed where the caller takes it, and not at all where he has it.

An entity tag is told before the first octet of the body, also of one that is made piece by piece: it is made
from what the body depends on. Pieces are made and compressed in the threads of the readers, one when the
last one has gone: what an answer holds in memory does not grow with its length.
"""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple

from fastapi import Request
from starlette.responses import Response, StreamingResponse

from meterlink.web.problems import Problem

JSON: Final = "application/json"
GZIP_OCTETS_MIN: Final = 1_024
"""A shorter body goes as it is."""
_GZIP_LEVEL: Final = 1
"""Digits and names shrink to a tenth at any level; this one takes the least time."""
_GZIP_WINDOW: Final = 31
"""The largest window, with the header of gzip."""
_TAG: Final = re.compile(r'(?:W/)?"[^"]*"')
_VERSION: Final = "1"
"""Of what bodies look like: it stands in each tag."""


def accepted(request: Request, media_type: str) -> None:
    """See that the caller takes what he will get.

    Raises:
        Problem: he does not.

    """
    wanted = request.headers.get("accept", "*/*")
    kind = media_type.partition(";")[0]
    if not any(_quality(part, {kind, f"{kind.partition('/')[0]}/*", "*/*"}) for part in wanted.split(",")):
        raise Problem(
            "not-acceptable",
            f"the answer is {kind}, and Accept is {wanted[:100]!r}",
            f"Send Accept: {kind}, or none; the parameter `format` chooses, where there is one.",
        )


def takes_gzip(request: Request) -> bool:
    """Whether the caller takes a compressed body; what is said of gzip counts before what is said of all."""
    told = request.headers.get("accept-encoding", "")
    named = [part for part in told.split(",") if _name(part) == "gzip"]
    of_any = [part for part in told.split(",") if _name(part) == "*"]
    return any(_quality(part, {"gzip", "*"}) for part in named or of_any)


def _name(part: str) -> str:
    return part.split(";", maxsplit=1)[0].strip().lower()


def _quality(part: str, names: set[str]) -> bool:
    """Whether one entry of a list is one of some names, and not with ``q=0``."""
    name, *rest = (one.strip().lower() for one in part.split(";"))
    is_refused = any(re.fullmatch(r"q=0(\.0{0,3})?", one) for one in rest)
    return name in names and not is_refused


def tag_of(*parts: object) -> str:
    """An entity tag of what a body depends on."""
    written = json.dumps([_VERSION, *map(str, parts)]).encode()
    return f'"{hashlib.sha256(written).hexdigest()[:32]}"'


def _is_held(request: Request, tag: str) -> bool:
    told = request.headers.get("if-none-match", "")
    opaque = tag.removeprefix("W/")
    return told.strip() == "*" or any(one.removeprefix("W/") == opaque for one in _TAG.findall(told))


def not_modified(request: Request, tag: str) -> Response | None:
    """That the caller has it already; ``None``: he does not."""
    named = _named(tag, is_packed=takes_gzip(request))
    if not _is_held(request, named):
        return None
    return Response(status_code=304, headers=_headers(named))


def whole(
    request: Request,
    body: bytes,
    media_type: str,
    *,
    tag: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """An answer whose body is there.

    Args:
        request: that it answers.
        body: not compressed.
        media_type: of the body.
        tag: of the body; ``None``: it is made from it.
        headers: beside the usual ones.

    """
    is_packed = takes_gzip(request) and len(body) >= GZIP_OCTETS_MIN
    named = _named(tag or tag_of(hashlib.sha256(body).hexdigest()), is_packed=takes_gzip(request))
    if _is_held(request, named):
        return Response(status_code=304, headers=_headers(named))
    sent = {**_headers(named), **(headers or {})}
    if is_packed:
        packer = _packer()
        body = packer.compress(body) + packer.flush()
        sent["Content-Encoding"] = "gzip"
    return Response(body, headers=sent, media_type=media_type)


def in_pieces(
    request: Request,
    piece: Callable[[Packer], Awaitable[bytes | None]],
    media_type: str,
    *,
    tag: str,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """An answer whose body is made while it goes.

    Args:
        request: that it answers.
        piece: makes the next piece, and packs it.
        media_type: of the body.
        tag: of the body.
        headers: beside the usual ones.

    """
    packer = Packer(takes_gzip(request))
    sent = {**_headers(_named(tag, is_packed=packer.is_packing)), **(headers or {})}
    if packer.is_packing:
        sent["Content-Encoding"] = "gzip"

    async def pieces() -> AsyncIterator[bytes]:
        while (made := await piece(packer)) is not None:
            if made:
                yield made
        if rest := packer.rest():
            yield rest

    return StreamingResponse(pieces(), headers=sent, media_type=media_type)


class Packer:
    """Compresses pieces, or leaves them as they are.

    Args:
        is_packing: whether it compresses.

    """

    def __init__(self, is_packing: bool) -> None:
        self.is_packing: Final = is_packing
        self._packer = _packer()

    def packed(self, octets: bytes) -> bytes:
        """One more piece, as it goes; may be empty."""
        return self._packer.compress(octets) if self.is_packing else octets

    def rest(self) -> bytes:
        """What was held back."""
        return self._packer.flush() if self.is_packing else b""


class Tagged(NamedTuple):
    """What an answer says of its tag, and whether the caller has it already."""

    headers: dict[str, str]
    is_held: bool


def tagged(request: Request, tag: str) -> Tagged:
    """The same of an answer that is never compressed."""
    return Tagged(_headers(tag), _is_held(request, tag))


def document(told: object) -> bytes:
    """A document as it goes."""
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _packer() -> Any:
    return zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)


def _named(tag: str, *, is_packed: bool) -> str:
    """Another body needs another tag, and a compressed one is another."""
    return f'{tag[:-1]}-gzip"' if is_packed else tag


def _headers(tag: str) -> dict[str, str]:
    vary = "Accept, Accept-Encoding, Authorization"
    return {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": vary}
