"""What ``meterlink control`` asks of the daemon, and how the answers are shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from meterlink.cli.asking import Asking, local
from meterlink.cli.saying import say

_LOOK: Final = {
    "en": "Compare open orders and cases with the meters and the billing system, and cancel what was done; "
    "then two people of the roles security or admin say so: meterlink control trust --reason ...",
    "zh": "请将未结工单和停电流程与电能表、营销系统核对,撤销已执行的;再由两名 security 或 admin 角色人员"
    "分别执行:meterlink control trust --reason ...",
}


class ControlAsking(Asking):
    """One command's way of asking about trips that are stopped or held, and showing them."""

    def _tell(self, result: Mapping[str, Any]) -> None:
        if "held" in result:
            for line in limits_in_words(result, self._lang):
                say(line)
        elif "revoked" in result:
            say(revoked_in_words(result, self._lang))
        else:
            super()._tell(result)


def revoked_in_words(told: Mapping[str, Any], lang: Literal["en", "zh"]) -> str:
    """That somebody has an authorisation no more, and what he may have done with it before.

    Args:
        told: by the daemon of `control.revoke`.
        lang: of the line.

    """
    order, person, sent = told["id"], told["person"], told["transmissions"]
    if lang == "zh":
        frames = f";此前已发送{sent}次,无法撤回,请核对工单结果" if sent else ""
        return f"已收回{person}对工单{order}的现场复电授权{frames}"
    frames = f"; {sent} frames had left before, look what they did" if sent else ""
    return f"{person} may operate order {order} no more{frames}"


def limits_in_words(told: Mapping[str, Any], lang: Literal["en", "zh"]) -> Iterator[str]:
    """Whether trips are stopped, whether the journal is doubted, and what is held.

    Args:
        told: by the daemon of `control.status`.
        lang: of the lines.

    """
    is_zh = lang == "zh"
    if stopped_by := told["stopped_by"]:
        yield f"停电操作已被{stopped_by}停止" if is_zh else f"all trips are stopped by {stopped_by}"
    else:
        yield "停电操作未被停止" if is_zh else "trips are not stopped"
    if doubt := told["log_doubt"]:
        yield f"不执行任何工单:{doubt}" if is_zh else f"no order goes: {doubt}"
        yield f"  {_LOOK[lang]}"
    if asked_by := told["trust_asked_by"]:
        yield (
            f"{asked_by}已核实日志,等待第二人"
            if is_zh
            else f"{asked_by} trusts the journal; a second person must agree"
        )
    if asked_by := told["resume_asked_by"]:
        yield (
            f"{asked_by}申请恢复,等待第二人"
            if is_zh
            else f"{asked_by} asks to resume; a second person must agree"
        )
    for one in told["frozen"]:
        until = f", {local(one['until'])}" if one["until"] else ""
        words = "暂停停电" if is_zh else "trips are frozen"
        yield f"{one['area']}  {words}  {one['reason']}{until}"
    for meter in told["shut_meters"]:
        words = "安全认证出错,已锁定" if is_zh else "shut: it met a wrong MAC, or refused an authentication"
        yield f"{meter}  {words}"
    for one in told["held"]:
        words = "已隔离" if is_zh else "held"
        yield f"{one['order']}  {words}  {one['meter']}  {one['area']}  {one['batch']}"
