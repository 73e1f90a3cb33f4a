"""Profiles out of YAML, checked as a whole, and the one that serves a meter."""

from __future__ import annotations

import fnmatch
import functools
import itertools
from collections.abc import Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Final, cast

from meterprofiles import sections, sections645
from meterprofiles.patterns import overlap
from meterprofiles.places import TEXT_MAX, compose
from meterprofiles.register_rows import register_map
from meterprofiles.schema import (
    ALL_PROTOCOLS,
    DLT698,
    MODBUS,
    QUIRKS_MAX,
    Profile,
    ProfileError,
    Spoken,
)
from meterprofiles.yaml_text import text_of

FILES_MAX: Final = 1_000
"""Most profiles of a users' folder."""


def load_profile(text: str, file: str, *, is_ours: bool = False) -> Profile:
    """Read one profile.

    Args:
        text: YAML.
        file: how errors call it.
        is_ours: it came with the program.

    Raises:
        ProfileError: a fault; the message has file, line and remedy.

    """
    root = compose(text, file, is_ours=is_ours)
    table = root.table(
        ("profile", "matches", "line", "timing"),
        ("dialect", "layout", "quirks", "association", "meter", "control", "memory", "reads", "registers"),
    )
    matches = table["matches"].table(("protocol",), ("model",))
    protocol = cast(Spoken, matches["protocol"].one_of(ALL_PROTOCOLS))
    profile = Profile(
        name=table["profile"].text(),
        protocol=protocol,
        model=matches["model"].text() if "model" in matches else "",
        line=sections.line(table["line"]),
        timing=sections.timing(table["timing"]),
        meter=sections.meter(table.get("meter")),
        control=sections.control(table.get("control"), protocol),
        memory=sections.memory(table.get("memory"), protocol),
        reads=sections.reads(table.get("reads")),
        file=file,
    )
    if protocol in MODBUS:
        sections.refuse(table, ("dialect", "layout", "quirks", "association", "control"), protocol)
        if "registers" not in table:
            raise root.error(
                f"the key 'registers' is missing: {protocol} does not say what a register means",
                f"缺少键 'registers':{protocol} 本身不说明寄存器的含义",
            )
        return replace(profile, registers=register_map(table["registers"]))
    sections.refuse(table, ("registers",), protocol)
    if protocol == DLT698:
        sections.refuse(table, ("dialect", "layout", "quirks"), protocol)
        return replace(profile, association=sections.association(table.get("association")))
    sections.refuse(table, ("association",), protocol)
    edition = profile.edition
    dialect_name = sections645.dialect(table.get("dialect"), edition)
    quirks = table["quirks"].rows(QUIRKS_MAX) if "quirks" in table else ()
    return replace(
        profile,
        dialect=dialect_name,
        layout=sections645.layout(table["layout"], edition, dialect_name) if "layout" in table else (),
        quirks=tuple(sections645.quirk(place, edition, dialect_name) for place in quirks),
    )


class Profiles:
    """Profiles that stand together.

    Args:
        profiles: no two of one name, and none that serve the same model of one protocol.

    Raises:
        ProfileError: two have one name, or some model could be served by two.

    """

    def __init__(self, profiles: Sequence[Profile]) -> None:
        self.all = tuple(profiles)
        for one, other in itertools.combinations(self.all, 2):
            if sentences := _clash(one, other):
                where, first = f"{other.file}: " if other.file else "", one.file or one.name
                en, zh = sentences
                raise ProfileError(f"{where}{en} (the other: {first})", f"{where}{zh}(另一个:{first})")

    def find(self, protocol: str, model: str = "") -> Profile:
        """The profile that serves a meter.

        Args:
            protocol: what it speaks.
            model: its model's name; empty where nobody knows.

        Raises:
            ProfileError: none serves it.

        """
        own = [_in_frames_of(protocol, profile) for profile in self.all]
        own = [profile for profile in own if profile.protocol == protocol]
        exact = [profile for profile in own if profile.model == model and _is_name(profile.model)]
        named = [profile for profile in own if profile.model and fnmatch.fnmatchcase(model, profile.model)]
        found = exact or named or [profile for profile in own if not profile.model]
        if not found:
            raise ProfileError(
                f"no profile serves {protocol} {model}".rstrip(),
                f"没有适用于规约 {protocol}、型号 {model or '(未填)'} 的规约档案",
            )
        return found[0]

    def named(self, name: str) -> Profile:
        """The profile of that name.

        Raises:
            ProfileError: there is none.

        """
        for profile in self.all:
            if profile.name == name:
                return profile
        names = ", ".join(profile.name for profile in self.all)
        raise ProfileError(
            f"no profile is called {name!r}; there is {names}, or the path of a .yaml file",
            f"没有名为 {name!r} 的规约档案;已有 {names},也可写 .yaml 文件的路径",
        )


def _in_frames_of(protocol: str, profile: Profile) -> Profile:
    """The same model, in the other frames of Modbus where those are asked for."""
    if profile.protocol != protocol and profile.protocol in MODBUS and protocol in MODBUS:
        return replace(profile, protocol=protocol)
    return profile


def _clash(one: Profile, other: Profile) -> tuple[str, str] | None:
    """Why two profiles cannot stand together, in both languages; ``None``: they can."""
    names, both = f"{one.name} and {other.name}", f"{one.name} 与 {other.name}"
    if one.name == other.name:
        return (
            f"two profiles are called {one.name}; give this one another name",
            f"两个规约档案都名为 {one.name}:请为本档案换一个名称",
        )
    if one.protocol != _in_frames_of(one.protocol, other).protocol or bool(one.model) != bool(other.model):
        return None
    if _is_name(one.model) != _is_name(other.model):  # the name wins over the pattern
        return None
    if not one.model:
        return (
            f"{names} both serve every {one.protocol} meter; give one of them a model",
            f"{both} 都适用于所有 {one.protocol} 电表:请为其中一个写明型号",
        )
    if overlap(one.model, other.model):
        return (
            f"{names} could both serve a model, by {one.model!r} and {other.model!r}; make them narrower",
            f"{both} 的型号 {one.model!r} 与 {other.model!r} 可能重叠:请写得更具体",
        )
    return None


def _is_name(model: str) -> bool:
    """Whether it names one model, and is no pattern."""
    return bool(model) and not any(sign in model for sign in "*?[")


@functools.cache
def packaged() -> Profiles:
    """The profiles that come with the program."""
    folders = sorted(
        (folder for folder in resources.files("meterprofiles").iterdir() if folder.is_dir()),
        key=lambda folder: folder.name,
    )
    files = [file for folder in folders for file in sorted(folder.iterdir(), key=lambda file: file.name)]
    texts = {file.name: file.read_text(encoding="utf-8") for file in files if file.name.endswith(".yaml")}
    return Profiles([load_profile(text, name, is_ours=True) for name, text in texts.items()])


def with_folder(folder: Path | None) -> Profiles:
    """The profiles that come with the program, and those of a folder of users' own.

    Args:
        folder: of ``.yaml`` files, 1,000 at most; ``None``: none.

    Raises:
        ProfileError: it cannot be read, a file in it is wrong, or two profiles claim one meter.

    """
    if folder is None:
        return packaged()
    try:
        files = sorted(folder.glob("*.yaml")) if folder.is_dir() else None
    except OSError as error:
        raise ProfileError(f"{folder}: {error.strerror}", f"{folder}: 无法读取:{error.strerror}") from None
    if files is None:
        raise ProfileError(
            f"{folder}: is no folder; name the one that holds the profiles",
            f"{folder}: 不是目录:请写存放规约档案的目录",
        )
    if len(files) > FILES_MAX:
        raise ProfileError(
            f"{folder}: {len(files)} profiles, at most {FILES_MAX} are taken",
            f"{folder}: 有 {len(files)} 个规约档案,至多 {FILES_MAX} 个",
        )
    return Profiles([*packaged().all, *map(load_file, files)])


def load_file(file: Path) -> Profile:
    """Read one profile from a file.

    Raises:
        ProfileError: it cannot be read, or is wrong.

    """
    text = text_of(file, text_max=TEXT_MAX, fault=ProfileError)
    return load_profile(text, str(file))


def chosen(text: str, profiles: Profiles) -> Profile:
    """The profile that a person names on a command line.

    Args:
        text: its name, or the path of a ``.yaml`` file.
        profiles: where names are looked up.

    Raises:
        ProfileError: there is none.

    """
    return load_file(Path(text)) if text.endswith(".yaml") else profiles.named(text)


def generic(protocol: str) -> Profile:
    """The profile of a meter of which nothing but the protocol is known.

    Raises:
        ProfileError: there is none.

    """
    return packaged().find(protocol)
