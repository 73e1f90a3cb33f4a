"""Which meters ``meterlink config check`` holds the configuration against: those that a daemon would have."""

from __future__ import annotations

from meterlink.clock import SystemClock
from meterlink.config import Settings, data_dir
from meterlink.daemon.audited import JOURNAL_FILE
from meterlink.daemon.enrolment import differences, no_meters, with_roster
from meterlink.errors import JournalError
from meterlink.journal.reader import JournalReader
from meterlink.roster.book import Held
from meterlink.roster.faults import Words


def rostered(settings: Settings) -> tuple[Settings, Words]:
    """The configuration with the meters that a daemon would work with, and where they come from, in words.

    Raises:
        ConfigError: there are no meters, or those of the journal do not fit the configuration.

    """
    path = data_dir(settings) / JOURNAL_FILE
    told = Words(
        "[[meters]], which the first start takes over into the journal",
        "配置中的 [[meters]],首次启动时转入日志库",
    )
    if path.exists():
        try:
            with JournalReader(path) as reader:
                reader.check()
                held = Held.of(reader.roster())
        except JournalError as error:
            told = Words(
                f"[[meters]]: the journal was not looked at: {error}",
                f"配置中的 [[meters]]:未能查看日志库:{error.said('zh')}",
            )
        else:
            if held.revision:
                return _of_journal(settings, held)
    if not settings.meters:
        raise no_meters()
    return settings, told


def _of_journal(settings: Settings, held: Held) -> tuple[Settings, Words]:
    now = SystemClock().utc_now()
    told = Words(f"the journal's, revision {held.revision}", f"日志库中的档案,第 {held.revision} 版")
    if found := differences(settings, held.meters, now):
        added, changed, retired = len(found.added), len(found.changed), len(found.retired)
        told = Words(
            f"{told.en}; [[meters]] says otherwise of {added} new, {changed} changed and "
            f"{retired} missing meters, and is not used: see `meterlink roster plan` of this file",
            f"{told.zh};[[meters]] 与之不同(新增 {added}、更改 {changed}、缺少 {retired} 只电表),不被采用:"
            "可用 `meterlink roster plan` 查看该文件的差别",
        )
    return with_roster(settings, held.meters, now), told
