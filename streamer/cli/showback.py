"""The command that tells departments what they used."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from streamer.cli.base import CONFIG, cli, configured, example

_MOST_NAMED = 10


class Zone(click.ParamType):
    """A time zone by its name."""

    name = "zone"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> ZoneInfo:
        """Look the zone up."""
        if isinstance(value, ZoneInfo):
            return value
        try:
            return ZoneInfo(str(value))
        except (ZoneInfoNotFoundError, ValueError, OSError):
            self.fail(f"{value!r} is no time zone, such as Europe/Berlin", param, ctx)


@cli.command(**example("tidegate showback october/rollups.parquet --day 2026-10-31 --tenant acme"))
@click.argument("rollups", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@CONFIG
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="The day; without it and --week the newest in the file.")
@click.option("--week", type=click.DateTime(["%Y-%m-%d"]), help="A day of the week (Monday to Sunday).")
@click.option("--zone", type=Zone(), default="UTC", show_default=True, help="Whose days and weeks.")
@click.option("--tenant", "tenants", multiple=True, help="Only this tenant; may be given several times.")
def showback(
    rollups: Path,
    path: Path | None,
    *,
    day: datetime | None,
    week: datetime | None,
    zone: ZoneInfo,
    tenants: tuple[str, ...],
) -> None:
    """Say who spent how much on what in a day or a week, of the rollups that a replay wrote."""
    if day and week:
        raise click.UsageError("either --day or --week")
    config = configured(path)
    from alerts.showback import lines  # noqa: PLC0415 - pyarrow costs a moment that other commands need not wait
    from streamer.showback.files import newest, read  # noqa: PLC0415
    from streamer.showback.period import Period  # noqa: PLC0415
    from streamer.showback.spend import Spend, report_of  # noqa: PLC0415

    chosen = week or day
    found = chosen or newest(rollups)
    if found is None:
        raise click.UsageError("the file holds no rollups: name a --day or a --week")
    latest = found.date() if chosen else found.astimezone(zone).date()
    try:
        period = Period.holding("week" if week else "day", latest, zone)
        now, before = Spend(period, tenants), Spend(period.before(), tenants)
    except OverflowError:
        raise click.UsageError(f"{latest} is too near to the first or the last of all days") from None
    known = set()
    for rollup in read(rollups):
        known.add(rollup.tenant)
        now.add(rollup)
        before.add(rollup)
    if unknown := [name for name in tenants if name not in known]:
        raise click.UsageError(_nothing_of(unknown, sorted(known)))
    for line in lines(report_of(now, before, period, whose=", ".join(tenants), budgets=config.budgets)):
        click.echo(line)


def _nothing_of(unknown: Sequence[str], known: Sequence[str]) -> str:
    more = f" and {len(known) - _MOST_NAMED} more" if len(known) > _MOST_NAMED else ""
    there_are = f"it knows {', '.join(known[:_MOST_NAMED])}{more}" if known else "it is empty"
    return f"the file holds nothing of {', '.join(unknown)}: {there_are}"
