"""What ``meterlink control`` asks of the daemon, and how the answers are shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer

from meterlink.cli.asking import Asking, local


class ControlAsking(Asking):
    """One command's way of asking about trips that are stopped or held, and showing them."""

    def _tell(self, result: Mapping[str, Any]) -> None:
        if "held" in result:
            self._limits(result)
        else:
            super()._tell(result)

    def _limits(self, told: Mapping[str, Any]) -> None:
        """Whether trips are stopped, and what is held."""
        is_zh = self._lang == "zh"
        if stopped_by := told["stopped_by"]:
            typer.echo(f"停电操作已被{stopped_by}停止" if is_zh else f"all trips are stopped by {stopped_by}")
        else:
            typer.echo("停电操作未被停止" if is_zh else "trips are not stopped")
        if doubt := told["log_doubt"]:
            typer.echo(f"不执行任何工单:{doubt}" if is_zh else f"no order goes: {doubt}")
        if asked_by := told["trust_asked_by"]:
            typer.echo(
                f"{asked_by}已核实日志,等待第二人"
                if is_zh
                else f"{asked_by} trusts the journal; a second person must agree"
            )
        if asked_by := told["resume_asked_by"]:
            typer.echo(
                f"{asked_by}申请恢复,等待第二人"
                if is_zh
                else f"{asked_by} asks to resume; a second person must agree"
            )
        for one in told["frozen"]:
            until = f", {local(one['until'])}" if one["until"] else ""
            words = "暂停停电" if is_zh else "trips are frozen"
            typer.echo(f"{one['area']}  {words}  {one['reason']}{until}")
        for meter in told["shut_meters"]:
            typer.echo(
                f"{meter}  MAC错误,已锁定" if is_zh else f"{meter}  shut for orders: it met a wrong MAC"
            )
        for one in told["held"]:
            words = "已隔离" if is_zh else "held"
            typer.echo(f"{one['order']}  {words}  {one['meter']}  {one['area']}  {one['batch']}")
