"""Acts to append in tests: small, each the next step of its subject."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from meterlink.model.act import Act, Topic
from tests.support.records import EPOCH


def act(
    step: int = 1,
    *,
    subject: str = "o-1",
    topic: Topic = Topic.ORDER,
    verb: str = "create",
    meter: str = "m1",
    is_open: bool = True,
    **body: Any,
) -> Act:
    """The step of a subject, as many seconds after ``EPOCH``."""
    return Act(
        topic=topic,
        subject=subject,
        step=step,
        verb=verb,
        at=EPOCH + timedelta(seconds=step),
        actor="李雷",
        meter=meter,
        body=body,
        is_open=is_open,
    )
