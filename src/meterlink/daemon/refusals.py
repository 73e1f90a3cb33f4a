"""What a caller is told when something cannot be done: a word for programs, a sentence in two languages."""

from __future__ import annotations

from typing import Final

import structlog

from meterlink.errors import (
    BadRequest,
    BusFull,
    EvidenceRefused,
    JournalError,
    MeterlinkError,
    NotAllowed,
    NotEntitled,
    OrderClash,
    StepTaken,
    Unknown,
)
from meterlink.orders.judging.judge import Stopped

_CODES: Final[dict[type[Exception], tuple[str, str]]] = {
    BadRequest: ("bad_request", "请求有误"),
    Unknown: ("unknown", "没有该对象"),
    OrderClash: ("clash", "编号已被另一内容使用"),
    NotAllowed: ("not_allowed", "不能执行该操作"),
    StepTaken: ("taken", "他人已先一步操作，请重新查看"),
    BusFull: ("busy", "排队已满，请稍后再试"),
    EvidenceRefused: ("evidence_refused", "记录无法受理"),
    NotEntitled: ("not_allowed", "无此权限"),
    Stopped: ("stopped", "规则不允许"),
    JournalError: ("journal", "日志无法写入或读取"),
    MeterlinkError: ("failed", "操作失败"),
}
"""From the special to the general."""

_log = structlog.get_logger(__name__)


def told(error: Exception) -> dict[str, str]:
    """What a caller is told of an error; of a bug of ours no more than that there was one."""
    for kind, (code, zh) in _CODES.items():
        if isinstance(error, kind):
            said = error.zh if isinstance(error, MeterlinkError) else ""
            if said:
                return {"code": code, "en": str(error), "zh": said}
            return {"code": code, "en": str(error), "zh": f"{zh}：{error}"}
    _log.error("request_failed", exc_info=error)
    return {"code": "bug", "en": "an error of the daemon's own; its log has it", "zh": "程序内部错误，见日志"}
