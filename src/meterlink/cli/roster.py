"""``meterlink roster``: which meters there are; looking reads the journal, the daemon changes it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from meterlink.cli.options import FIRST_CONFIG, AsJson, AsJsonLines, Config, Language
from meterlink.cli.usage import Wrong

app = typer.Typer(
    no_args_is_help=True, help="The roster: which meters there are, and every change of it. 档案。"
)

_FILE = Annotated[Path, typer.Argument(help="A .csv, .xlsx, .json or .toml with meters.", show_default=False)]
_METER = Annotated[str, typer.Argument(help="Our id of the meter.", show_default=False)]
_PARTIAL = Annotated[
    bool, typer.Option("--partial", help="The file names only some meters; the others stay as they are.")
]
_RETIRE_MANY = Annotated[
    bool,
    typer.Option(
        "--retire-many",
        help="The meters that the file does not name go out of service, though they are most of them.",
    ),
]
_JOURNAL = Annotated[
    Path | None,
    typer.Option("--journal", help="A journal's file in place of the configuration's.", show_default=False),
]
_OUT = Annotated[
    Path | None,
    typer.Option(
        "--out", "-o", help="A .csv, .xlsx or .json; without it CSV on standard output.", show_default=False
    ),
]
_REGISTERS = Annotated[
    list[str] | None,
    typer.Option(help="What it showed then: VALUE or ITEM=VALUE. May be repeated.", show_default=False),
]
_EVIDENCE = Annotated[
    str, typer.Option(help="Where the registers are to be seen: a photo, a read-out.", show_default=False)
]
_GONE = Annotated[bool, typer.Option("--all", help="Those out of service as well.")]


@app.command()
def plan(
    file: _FILE,
    partial: _PARTIAL = False,
    retire_many: _RETIRE_MANY = False,
    config: Config = FIRST_CONFIG,
    as_json: AsJson = False,
    lang: Language = None,
) -> None:
    """Show what a file would change, and every row that is wrong. Changes nothing. 比对档案。

    A meter that is in the roster and not in the file would go out of service; its readings stay. With
    --partial it would stay as it is. A file that names no meter, or leaves out more than half of those in
    service (and more than ten), is refused without --retire-many. A column that the file has not is left as
    it is.

    \b
    Examples:
      meterlink roster plan meters.csv
      meterlink roster plan new-meters.xlsx --partial --json
      meterlink roster plan meterlink.toml

    \b
    Exit codes: 0 the file is good; 2 it is not, or wrong configuration; 7 the journal cannot be read.
    """
    from meterlink.cli.roster_change import RosterChanging

    changing = RosterChanging(config, as_json=as_json, lang=lang)
    raise typer.Exit(changing.plan(file, partial=partial, retire_many=retire_many))


@app.command()
def apply(
    file: _FILE,
    partial: _PARTIAL = False,
    retire_many: _RETIRE_MANY = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show, as `plan` does.")] = False,
    revision: Annotated[
        int | None,
        typer.Option(help="Only if the roster is of this revision, as `plan` showed.", show_default=False),
    ] = None,
    note: Annotated[str, typer.Option(help="For people; kept with the change.", show_default=False)] = "",
    correct_numbers: Annotated[
        bool,
        typer.Option(
            "--correct-numbers",
            help="Numbers of meters or customers that become other were written down wrongly: no meter was "
            "exchanged, and what protects a customer stays his.",
        ),
    ] = False,
    new_customers: Annotated[
        bool,
        typer.Option(
            "--new-customers",
            help="Meters whose customer number becomes other have another customer from now on, who inherits "
            "nothing.",
        ),
    ] = False,
    config: Config = FIRST_CONFIG,
    as_json: AsJson = False,
    lang: Language = None,
) -> None:
    """Make the roster what a file says: all of it, or nothing where one row is wrong. 导入档案。

    While the daemon runs it does it, and its rules know it at once; the lines that it concerns begin anew.
    Without it the journal is changed directly.

    \b
    Examples:
      meterlink roster apply meters.csv
      meterlink roster apply meters.xlsx --yes --note "area 12, phase 2"
      meterlink roster apply new-meters.csv --partial --dry-run

    \b
    Exit codes: 0 done, or nothing to do; 1 not confirmed; 2 the file or the configuration is wrong;
    7 journal; 8 you may not, or somebody has changed the roster since.
    """
    from meterlink.cli.roster_change import RosterChanging
    from meterlink.roster.saying import Saying

    if correct_numbers and new_customers:
        raise Wrong(
            "--correct-numbers or --new-customers: one file, one word",
            "--correct-numbers 与 --new-customers 只能选一个",
        )
    saying = Saying.CORRECTED if correct_numbers else Saying.NOTHING
    saying = Saying.NEW_CUSTOMERS if new_customers else saying
    changing = RosterChanging(config, as_json=as_json, lang=lang)
    if dry_run:
        raise typer.Exit(changing.plan(file, partial=partial, saying=saying, retire_many=retire_many))
    raise typer.Exit(
        changing.apply(
            file,
            partial=partial,
            yes=yes,
            revision=revision,
            note=note,
            saying=saying,
            retire_many=retire_many,
        )
    )


@app.command()
def exchange(
    meter: _METER,
    new_number: Annotated[str, typer.Option(help="Meter number of the new one: 12 digits.")],
    removed_at: Annotated[str, typer.Option(help='When the old one was taken out: "2026-11-22 10:30".')],
    last_register: Annotated[
        list[str], typer.Option(help="What the old one showed last: VALUE or ITEM=VALUE. May be repeated.")
    ],
    first_register: Annotated[
        list[str], typer.Option(help="What the new one showed first: VALUE or ITEM=VALUE. May be repeated.")
    ],
    new_id: Annotated[
        str, typer.Option(help="Id of the new one; default: its number.", show_default=False)
    ] = "",
    new_address: Annotated[
        str, typer.Option(help="Address of the new one; default: its number.", show_default=False)
    ] = "",
    new_model: Annotated[
        str, typer.Option(help="Model of the new one; default: as the old.", show_default=False)
    ] = "",
    new_firmware: Annotated[str, typer.Option(help="Firmware of the new one.", show_default=False)] = "",
    new_ct: Annotated[
        str, typer.Option(help="Current transformers before the new one: 30 or 150/5.", show_default=False)
    ] = "",
    new_pt: Annotated[
        str, typer.Option(help="Voltage transformers before the new one: 100.", show_default=False)
    ] = "",
    installed_at: Annotated[
        str, typer.Option(help="When the new one was put in; default: --removed-at.", show_default=False)
    ] = "",
    evidence: Annotated[
        str, typer.Option(help="Where the registers are to be seen: a photo, a read-out.", show_default=False)
    ] = "",
    config: Config = FIRST_CONFIG,
    as_json: AsJson = False,
    lang: Language = None,
) -> None:
    """Note that a meter was replaced: both series stay apart, both registers are kept. 换表。

    VALUE without an item is forward_active_energy, in kWh. The old meter goes out of service; the new one has
    its customer, place, line and ratios (or others), an id of its own, and `replaces` says whom.

    \b
    Example:
      meterlink roster exchange m1 --new-number 202611220001 --removed-at "2026-11-22 10:30" \\
        --last-register 12345.67 --first-register 0.00 --evidence "photo 4711"

    \b
    Exit codes: 0 noted; 2 it cannot have been so; 7 journal; 8 you may not, or somebody was first.
    """
    from meterlink.cli.roster_change import RosterChanging

    changing = RosterChanging(config, as_json=as_json, lang=lang)
    told = {
        "meter": meter,
        "meter_number": new_number,
        "new": new_id or new_number,
        "address": new_address,
        "model": new_model,
        "firmware": new_firmware,
        "ct": new_ct,
        "pt": new_pt,
        "evidence": evidence,
    }
    times = (removed_at, installed_at or removed_at)
    raise typer.Exit(changing.exchange(told, times, last_register, first_register))


@app.command()
def ratio(
    meter: _METER,
    ct: Annotated[str, typer.Option(help="Current transformers since then: 30 or 150/5.")],
    at: Annotated[str, typer.Option(help='Since when: "2026-11-22 10:30".')],
    pt: Annotated[
        str, typer.Option(help="Voltage transformers since then; default: as they were.", show_default=False)
    ] = "",
    register: _REGISTERS = None,
    only: Annotated[
        bool, typer.Option("--only", help="The meter that came in its place has transformers of its own.")
    ] = False,
    void_later: Annotated[
        bool, typer.Option("--void-later", help="Ratios that were told of later times are void by it.")
    ] = False,
    evidence: _EVIDENCE = "",
    config: Config = FIRST_CONFIG,
    as_json: AsJson = False,
    lang: Language = None,
) -> None:
    """Note since when a meter's transformers have another ratio, and what it showed then. 变更倍率。

    A ratio that was told too late, or wrongly since the same time, is put right so,
    and consumption of the days since then is made with it. With what the registers showed, the day of the
    change has an amount too; at midnight its freeze tells that. Where the meter was replaced since, the new
    one is told first, from when it came, or `--only` says that it has transformers of its own. Another ratio
    that was told of a later time is void only with `--void-later`.

    \b
    Examples:
      meterlink roster ratio m1 --ct 200/5 --at "2026-11-22 10:30" --register 12345.67
      meterlink roster ratio m1 --ct 30 --at 2026-11-01

    \b
    Exit codes: 0 noted; 2 it cannot have been so; 7 journal; 8 you may not, or somebody was first.
    """
    from meterlink.cli.roster_change import RosterChanging

    changing = RosterChanging(config, as_json=as_json, lang=lang)
    told = {"meter": meter, "ct": ct, "pt": pt, "evidence": evidence}
    raise typer.Exit(changing.turn(told, at, register or (), only=only, void_later=void_later))


@app.command()
def remove(
    meter: _METER,
    at: Annotated[str, typer.Option(help='When it was taken out: "2026-11-22 10:30".')],
    register: Annotated[
        list[str], typer.Option(help="What it showed last: VALUE or ITEM=VALUE. May be repeated.")
    ],
    evidence: _EVIDENCE = "",
    config: Config = FIRST_CONFIG,
    as_json: AsJson = False,
    lang: Language = None,
) -> None:
    """Note that a meter was taken out for good, and what it showed: its last bill is made of it. 拆表。

    VALUE without an item is forward_active_energy, in kWh. Where another meter was put in: `roster exchange`.

    \b
    Example:
      meterlink roster remove m1 --at "2026-11-22 10:30" --register 12345.67 --evidence "photo 4711"

    \b
    Exit codes: 0 noted; 2 it cannot have been so; 7 journal; 8 you may not, or somebody was first.
    """
    from meterlink.cli.roster_change import RosterChanging

    changing = RosterChanging(config, as_json=as_json, lang=lang)
    raise typer.Exit(changing.turn({"meter": meter, "evidence": evidence}, at, register))


@app.command()
def correct(
    meter: _METER,
    word: Annotated[str, typer.Option(help="Why: what was wrong with what was told.")],
    last_register: Annotated[
        list[str] | None,
        typer.Option(help="What it showed when it was taken out: VALUE or ITEM=VALUE. May be repeated."),
    ] = None,
    first_register: Annotated[
        list[str] | None,
        typer.Option(help="What it showed when it was put in: VALUE or ITEM=VALUE. May be repeated."),
    ] = None,
    evidence: _EVIDENCE = "",
    config: Config = FIRST_CONFIG,
    as_json: AsJson = False,
    lang: Language = None,
) -> None:
    """Tell again what a meter showed when it was taken out or put in: it was told wrongly. 更正止码或起码。

    What was told first stays in the log. Consumption is made of what was told last, also that of days that
    are billed already: `/v1/consumption?since=` brings it.

    \b
    Examples:
      meterlink roster correct m1 --last-register 119.50 --word "typed 219.50" --evidence "photo 4711"
      meterlink roster correct m2 --first-register 0.50 --word "photo read wrongly"

    \b
    Exit codes: 0 noted; 2 it cannot have been so; 7 journal; 8 you may not, or somebody was first.
    """
    from meterlink.cli.roster_change import RosterChanging

    if bool(last_register) == bool(first_register):
        raise Wrong(
            "--last-register or --first-register: one of them",
            "--last-register 与 --first-register 须给出一个",
        )
    changing = RosterChanging(config, as_json=as_json, lang=lang)
    told = {"meter": meter, "word": word, "evidence": evidence}
    raise typer.Exit(changing.correct(told, last_register or (), first_register or ()))


@app.command("list")
def list_all(
    area: Annotated[str, typer.Option(help="Of one transformer area only.", show_default=False)] = "",
    line: Annotated[str, typer.Option(help="Of one line only.", show_default=False)] = "",
    everything: _GONE = False,
    config: Config = FIRST_CONFIG,
    journal: _JOURNAL = None,
    as_json: AsJsonLines = False,
    lang: Language = None,
) -> None:
    """List meters. Works while the daemon runs, and without it. 列出档案。

    \b
    Examples:
      meterlink roster list
      meterlink roster list --area east --json

    \b
    Exit codes: 0 listed; 2 wrong configuration; 7 the journal cannot be read.
    """
    from meterlink.cli.roster_look import RosterLook

    with RosterLook.into(journal, config, as_json=as_json, lang=lang) as look:
        look.list(area=area, line=line, everything=everything)


@app.command()
def show(
    meter: _METER,
    config: Config = FIRST_CONFIG,
    journal: _JOURNAL = None,
    as_json: AsJson = False,
    lang: Language = None,
) -> None:
    """Show one meter's entry. 查看一只表的档案。

    \b
    Example:
      meterlink roster show m1

    \b
    Exit codes: 0 shown; 2 there is no such meter, or wrong configuration; 7 the journal cannot be read.
    """
    from meterlink.cli.roster_look import RosterLook

    with RosterLook.into(journal, config, as_json=as_json, lang=lang) as look:
        look.show(meter)


@app.command()
def history(
    meter: _METER,
    config: Config = FIRST_CONFIG,
    journal: _JOURNAL = None,
    as_json: AsJsonLines = False,
    lang: Language = None,
) -> None:
    """Show every change of a meter's entry: who, when, old and new; and its exchanges. 档案变更历史。

    \b
    Example:
      meterlink roster history m1

    \b
    Exit codes: 0 shown; 2 there is no such meter, or wrong configuration; 7 the journal cannot be read.
    """
    from meterlink.cli.roster_look import RosterLook

    with RosterLook.into(journal, config, as_json=as_json, lang=lang) as look:
        look.history(meter)


@app.command()
def export(
    out: _OUT = None,
    everything: _GONE = False,
    config: Config = FIRST_CONFIG,
    journal: _JOURNAL = None,
    lang: Language = None,
) -> None:
    """Write the roster as a table that `apply` takes; the headers are of your language. 导出档案。

    \b
    Examples:
      meterlink roster export > meters.csv
      meterlink roster export -o meters.xlsx --lang zh
      meterlink roster export -o meters.json --all

    \b
    Exit codes: 0 written; 1 the file cannot be written; 2 wrong configuration or ending; 7 the journal cannot
    be read.
    """
    from meterlink.cli.roster_look import RosterLook

    with RosterLook.into(journal, config, as_json=False, lang=lang) as look:
        look.export(out, everything=everything)


@app.command()
def template(out: _OUT = None, lang: Language = None) -> None:
    """Print a first table: the headers, and one meter to write over. A workbook explains each column. 模板。

    \b
    Examples:
      meterlink roster template > meters.csv
      meterlink roster template -o meters.xlsx --lang zh

    \b
    Exit codes: 0 printed; 1 the file cannot be written; 2 another ending than .csv or .xlsx.
    """
    from meterlink.cli.roster_look import write_template

    write_template(out, lang)


@app.command()
def verify(
    config: Config = FIRST_CONFIG,
    journal: _JOURNAL = None,
    as_json: AsJson = False,
    lang: Language = None,
) -> None:
    """Replay every change, and say whether the roster is what they make of it. 校验档案历史。

    The acts themselves are for `meterlink audit verify`.

    \b
    Example:
      meterlink roster verify

    \b
    Exit codes: 0 it is; 2 wrong configuration; 7 the journal cannot be read; 11 it was changed beside them.
    """
    from meterlink.cli.roster_look import RosterLook

    with RosterLook.into(journal, config, as_json=as_json, lang=lang) as look:
        look.verify()
