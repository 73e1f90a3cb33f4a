"""Whether a meter fits its line, its profile and those who prove orders to it: one meter at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from meterlink.config import LineSettings, MeterSettings
from meterlink.config.meters import World
from meterlink.config.security import PASSWORD
from meterlink.drivers.modbus.talk import framing_of, unit_of
from meterlink.drivers.profiles import MeterProfiles
from meterlink.errors import ConfigError
from meterlink.model.line_url import ListenUrl
from meterlink.roster.faults import Words
from meterprofiles import Profile

_WORLDS: dict[tuple[World, World], bool] = {
    ("none", "none"): True,
    ("remote", "remote"): True,
    ("local", "local"): True,
    ("none", "remote"): True,  # a profile of a whole edition does not know what its meters are used for
}
"""(the profile's, the meter's): what can be true of one meter."""


@dataclass(frozen=True, slots=True)
class Misfit:
    """What does not fit.

    Args:
        column: the field that would have to be another.
        words: why.

    """

    column: str
    words: Words


@dataclass(frozen=True, slots=True)
class Fits:
    """What meters are held against.

    Args:
        profiles: that there are.
        providers: names of the security providers.

    """

    profiles: MeterProfiles
    providers: frozenset[str]

    def misfits(self, meter: MeterSettings, line: LineSettings) -> Iterator[Misfit]:
        """What does not fit of one meter on its line."""
        if found := dial_in_misfit(meter, line):
            yield found
        if found := heartbeat_misfit(meter, line):
            yield found
        if meter.security not in {None, PASSWORD, *self.providers}:
            known = ", ".join(sorted({PASSWORD, *self.providers}))
            yield Misfit(
                "security",
                Words(
                    f"no security provider is named {meter.security!r} (there are: {known})",
                    f"没有名为 {meter.security!r} 的安全认证(已有:{known})",
                ),
            )
        try:
            profile = self.profiles.find(meter.protocol, meter.model)
        except ConfigError as error:
            zh = (
                f"没有适用于规约 {meter.protocol}、型号 {meter.model or '(未填)'} 的规约档案:请更正规约或型号"
            )
            yield Misfit("model", Words(str(error), zh))
            return
        yield from (found for look in _LOOKS if (found := look(meter, profile)))


def dial_in_misfit(meter: MeterSettings, line: LineSettings) -> Misfit | None:
    """What a terminal cannot be asked: itself but in its own protocol, and meters of Modbus at all."""
    if (terminal := line.terminal_698) is not None:
        return _terminal_misfit(meter, line, terminal)
    if (terminal := line.terminal_1376) is not None:
        return _not_passed_on(meter, line, terminal)
    return None


def _terminal_misfit(meter: MeterSettings, line: LineSettings, terminal: str) -> Misfit | None:
    if meter.address == terminal and meter.protocol != "dlt698.45":
        return Misfit(
            "protocol",
            Words(
                f"speaks {meter.protocol}, but has the address of terminal {terminal}, which is line "
                f"{line.name!r} and is asked in dlt698.45",
                f"线路 {line.name!r} 是终端 {terminal} 本身,须用 dlt698.45",
            ),
        )
    return _not_passed_on(meter, line, terminal)


def _not_passed_on(meter: MeterSettings, line: LineSettings, terminal: str) -> Misfit | None:
    if meter.protocol not in _BEHIND_TERMINALS:
        return Misfit(
            "protocol",
            Words(
                f"speaks {meter.protocol}, which terminal {terminal}, line {line.name!r}, does not pass on",
                f"线路 {line.name!r} 的终端 {terminal} 不能转发 {meter.protocol}",
            ),
        )
    return None


_BEHIND_TERMINALS: Final = frozenset({"dlt645-1997", "dlt645-2007", "dlt698.45"})
"""What meters behind a concentrator speak. Source: spec dlt698, section 4.2; spec gdw1376, B3, AFN 10."""


def heartbeat_misfit(meter: MeterSettings, line: LineSettings) -> Misfit | None:
    """A heartbeat that stands in each frame of a meter would be taken out of each."""
    told = line.serial_server
    if told is None or meter.protocol.startswith("modbus-"):
        return None
    head = b"\x68" + bytes.fromhex(meter.address)[::-1] + b"\x68"
    url = line.parsed_url
    device = url.device if isinstance(url, ListenUrl) else ""
    if not any(text in head for text in told.heartbeats_of(device)):
        return None
    return Misfit(
        "line",
        Words(
            f"has address {meter.address}, whose octets are the heartbeat of the serial server of line "
            f"{line.name!r}: each answer would lose them; set another heartbeat at the serial server",
            f"串口服务器(线路 {line.name!r})的心跳与表地址 {meter.address} 相同,会破坏应答帧:请更改心跳内容",
        ),
    )


def unit_misfit(meter: MeterSettings, profile: Profile) -> Misfit | None:
    """A meter of Modbus has a number of its own range."""
    if profile.registers is None:
        return None
    try:
        unit_of(meter.address, framing_of(profile))
    except ConfigError as error:
        return Misfit("address", Words(str(error), f"地址 {meter.address} 不是 Modbus 单元地址:请更正"))
    return None


def password_misfit(meter: MeterSettings, profile: Profile) -> Misfit | None:
    """A password where the profile wants one, and none where nobody asks for it."""
    wanted = profile.association.connect == "password"
    if wanted and meter.password is None:
        return Misfit(
            "password",
            Words(
                f"its profile {profile.name} wants a password: "
                'write password = "file:/path/to/it" or "env:NAME"',
                f"规约档案 {profile.name} 需要密码:请写 file:/路径 或 env:变量名",
            ),
        )
    if meter.password is not None and not wanted:
        return Misfit(
            "password",
            Words(
                f"its profile {profile.name} sends no password: leave the key out, "
                "or give it a model whose profile says `association: {connect: password}`",
                f"规约档案 {profile.name} 不使用密码:请清空该项或更正型号",
            ),
        )
    return None


def world_misfit(meter: MeterSettings, profile: Profile) -> Misfit | None:
    """Where the money is: the profile and the meter's entry must not contradict each other."""
    told, wanted = profile.meter.cost_control, world_of(meter, profile)
    if _WORLDS.get((told, wanted), False):
        return None
    return Misfit(
        "cost_control",
        Words(
            f"cost_control = {wanted!r}, but its profile {profile.name} says {told!r}: "
            "take the key away, or give the meter the profile of its model",
            f"费控方式为 {wanted!r},而规约档案 {profile.name} 为 {told!r}:请清空该项或更正型号",
        ),
    )


def world_of(meter: MeterSettings, profile: Profile) -> World:
    """Where the money of a meter is: what its entry says, else its profile."""
    return meter.cost_control or profile.meter.cost_control


def plaintext_misfit(meter: MeterSettings, profile: Profile) -> Misfit | None:
    """A password that anybody on the line can read needs a word of permission of its own."""
    allowed = meter.allow_plaintext_control or profile.control.allow_plaintext_control
    if meter.security != PASSWORD or allowed:
        return None
    return Misfit(
        "allow_plaintext_control",
        Words(
            'security = "password" can be read by anybody on the line: say yes here if it is a laboratory or '
            "sub-meter, or name a provider",
            "明文密码可被线路上任何人读取:试验表或分表可在此填“是”,否则请指定安全认证",
        ),
    )


_LOOKS = (unit_misfit, password_misfit, world_misfit, plaintext_misfit)
