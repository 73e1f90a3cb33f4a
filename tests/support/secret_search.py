"""A search for secrets in everything that somebody could look at: texts, files, messages.

A secret is found as octets and as hexadecimal digits in either case, with or without separators, as it is,
reversed, with the mask of DL/T 645 (33H) and both; also where Python or JSON escaped its octets. Passwords
are short: they are found as words of digits, and as octets together with the level before them.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

HEAD_OCTETS: Final = 4
"""Every secret is looked for by its first octets; a shorter one would be found by chance."""
_MASK: Final = 0x33
_ESCAPED: Final = re.compile(rb"\\(?:x|u00)([0-9a-fA-F]{2})")
_SEPARATED: Final = re.compile(rb"(?<=[0-9a-f]{2})[ :._-](?=[0-9a-f]{2}(?![0-9a-f]))")


class Leak(NamedTuple):
    """A secret that was found.

    Args:
        where: name of what was searched.
        secret: name of the secret.
        around: what stands about it.

    """

    where: str
    secret: str
    around: str


@dataclass(slots=True)
class Secrets:
    """What nobody may see.

    Attributes:
        words: passwords as people write them, by name.
        octets: every form of everything else, and of the passwords as frames bear them.

    """

    words: dict[str, str] = field(default_factory=dict)
    octets: dict[bytes, str] = field(default_factory=dict)

    def add(self, name: str, secret: bytes) -> None:
        """Keys, cipher blocks, MACs, random numbers, handles.

        Raises:
            ValueError: it is so short that it would be found by chance.

        """
        if len(secret) < HEAD_OCTETS:
            raise ValueError(f"{name} has fewer than {HEAD_OCTETS} octets")
        for form in forms(secret):
            self.octets.setdefault(form, name)

    def add_password(self, name: str, password: str, level: int = 2) -> None:
        """A password: its characters, and where it is of digits its BCD octets after its level."""
        self.words[name] = password
        if password.isdecimal() and len(password) % 2 == 0:
            self.add(name, bytes((level,)) + bytes.fromhex(password)[::-1])
        if len(password) >= HEAD_OCTETS:
            self.add(name, password.encode())

    @property
    def names(self) -> set[str]:
        """Of all of them."""
        return {*self.words, *self.octets.values()}

    def found_in(self, places: Mapping[str, bytes | str]) -> list[Leak]:
        """Every secret in every place, each once a place."""
        words = {form.encode() for word in self.words.values() for form in (word, word[::-1])}
        plain = {form: name for form, name in self.octets.items() if form not in words}
        digits = {form.hex().encode(): name for form, name in self.octets.items()}
        leaks = []
        for where, place in places.items():
            raw = place if isinstance(place, bytes) else place.encode()
            hits = {*_hits(_as_octets(raw), plain, "I"), *_hits(_as_digits(raw), digits, "Q")}
            leaks += [Leak(where, *hit) for hit in sorted(hits)]
            leaks += [Leak(where, name, _around(raw, at)) for name, at in self._words_in(raw)]
        return leaks

    def _words_in(self, raw: bytes) -> Iterator[tuple[str, int]]:
        """A password as a word: digits in the midst of a hash are none."""
        for name, word in self.words.items():
            for form in {word, word[::-1]}:
                pattern = rb"(?<![0-9A-Za-z])" + re.escape(form.encode()) + rb"(?![0-9A-Za-z])"
                yield from ((name, hit.start()) for hit in re.finditer(pattern, raw))


def forms(secret: bytes) -> set[bytes]:
    """As it is, reversed, masked, and both."""
    masked = bytes(octet + _MASK & 0xFF for octet in secret)
    return {secret, secret[::-1], masked, masked[::-1]}


def _as_octets(raw: bytes) -> set[bytes]:
    """As it stands, and with the escapes of Python and JSON undone."""
    return {raw, _ESCAPED.sub(lambda found: bytes.fromhex(found[1].decode()), raw)}


def _as_digits(raw: bytes) -> set[bytes]:
    """In small letters, with and without separators between octets."""
    lowered = raw.lower()
    return {lowered, _SEPARATED.sub(b"", lowered)}


def _hits(
    views: Iterable[bytes], wanted: Mapping[bytes, str], word: Literal["I", "Q"]
) -> Iterator[tuple[str, str]]:
    """What stands in the views: its name, and what is about it.

    Megabytes are searched for hundreds of forms: only those are looked for whose first word is there at all.
    """
    width = struct.calcsize(word)
    heads: dict[int, list[bytes]] = {}
    for form in wanted:
        heads.setdefault(struct.unpack_from(word, form)[0], []).append(form)
    for view in views:
        for shift in range(width):
            end = len(view) - (len(view) - shift) % width
            there = heads.keys() & set(memoryview(view)[shift : max(end, shift)].cast(word))
            for form in (form for head in there for form in heads[head]):
                if (at := view.find(form)) >= 0:
                    yield wanted[form], _around(view, at)


def _around(raw: bytes, at: int) -> str:
    return repr(raw[max(0, at - 60) : at + 60])
