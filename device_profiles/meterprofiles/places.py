"""YAML text -> values that remember their line, and the checks that name it.

Only what profiles are made of: mappings, lists, texts and whole numbers; tags, anchors and repeated keys
are refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import yaml

from meterprofiles.schema import ProfileError
from meterprofiles.yaml_text import node_of

TEXT_MAX = 65_536
"""Most characters of a profile."""
DEPTH_MAX = 8
"""Deepest nesting of a profile."""


@dataclass(frozen=True, slots=True)
class Place:
    """A node of a profile: what stands there, and where.

    Args:
        node: of PyYAML.
        where: file and path of keys, for errors.

    """

    node: yaml.Node
    where: str

    @property
    def line(self) -> int:
        """Line in the file, from 1."""
        return int(self.node.start_mark.line) + 1

    def error(self, en: str, zh: str) -> ProfileError:
        """An error that says where.

        Args:
            en: what is wrong, and what to do.
            zh: the same in Chinese.

        """
        file, _, path = self.where.partition("#")
        where = f"{file}:{self.line}: {path + ': ' if path else ''}"
        return ProfileError(where + en, where + zh)

    def table(self, required: Sequence[str], optional: Sequence[str] = ()) -> dict[str, Place]:
        """The places of a mapping by key.

        Raises:
            ProfileError: no mapping, a missing, repeated or unknown key.

        """
        if not isinstance(self.node, yaml.MappingNode):
            keys = ", ".join(required)
            raise self.error(f"write keys and values: {keys}", f"请写键和值:{keys}")
        found: dict[str, Place] = {}
        for key_node, value_node in self.node.value:
            key = str(key_node.value)
            place = Place(value_node, f"{self.where}{'.' if '#' in self.where else '#'}{key}")
            if key not in (*required, *optional):
                known = ", ".join((*required, *optional))
                raise Place(key_node, self.where).error(
                    f"unknown key {key!r}; there are: {known}", f"未知的键 {key!r};可用的键:{known}"
                )
            if key in found:
                raise Place(key_node, self.where).error(
                    f"key {key!r} stands here twice", f"键 {key!r} 在此处写了两次"
                )
            found[key] = place
        if missing := [key for key in required if key not in found]:
            raise self.error(f"the key {missing[0]!r} is missing", f"缺少键 {missing[0]!r}")
        return found

    def rows(self, most: int) -> Iterator[Place]:
        """The places of a list.

        Raises:
            ProfileError: no list, or one with more than ``most`` entries.

        """
        if not isinstance(self.node, yaml.SequenceNode):
            raise self.error("write a list", "请写列表")
        if len(self.node.value) > most:
            count = len(self.node.value)
            raise self.error(f"{count} entries, at most {most} are taken", f"有 {count} 项,至多 {most} 项")
        for number, node in enumerate(self.node.value, start=1):
            yield Place(node, f"{self.where}[{number}]")

    def text(self) -> str:
        """A text that is not empty.

        Raises:
            ProfileError: something else.

        """
        if not isinstance(self.node, yaml.ScalarNode) or not self.node.value.strip():
            raise self.error("write a text", "请写文本")
        return str(self.node.value)

    def whole(self, low: int, high: int) -> int:
        """A whole number of ``low`` to ``high``.

        Raises:
            ProfileError: something else.

        """
        text = self.text()
        if not (text.isascii() and text.isdigit() and len(text) <= 9 and low <= int(text) <= high):
            raise self.error(
                f"{text!r} is no whole number of {low} to {high}", f"{text!r} 不是 {low} 至 {high} 的整数"
            )
        return int(text)

    def one_of(self, choices: Sequence[str]) -> str:
        """One of some words.

        Raises:
            ProfileError: another one.

        """
        text = self.text()
        if text not in choices:
            raise self.error(
                f"{text!r} is none of {', '.join(choices)}", f"{text!r} 须为以下之一:{'、'.join(choices)}"
            )
        return text


def compose(text: str, file: str, *, is_ours: bool = False) -> Place:
    """The root of a profile.

    Args:
        text: YAML.
        file: how errors call it.
        is_ours: it came with the program.

    Raises:
        ProfileError: no YAML, empty, or too long.

    """
    root = node_of(text, file, fault=ProfileError, text_max=TEXT_MAX, depth_max=DEPTH_MAX, is_ours=is_ours)
    return Place(root, file)
