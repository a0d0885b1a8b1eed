"""qd metrics: what changed about metrics. `qd query` asks for their values, `qd chart` draws those of an item."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Any

import typer

from quarterdeck.cli.changing import change_row
from quarterdeck.cli.client import Client
from quarterdeck.cli.output import Format, OutputOption, note, write_record, write_rows

app = typer.Typer(help="See what changed about metrics; `qd query` asks for their values.")
_COLUMNS = ("label", "value", "before", "now", "before_percent", "now_percent", "change")


class Combine(StrEnum):
    """What the series of a label's value make together."""

    SUM = "sum"
    MEAN = "mean"
    COUNT = "count"


@app.callback()
def _group() -> None:
    """Make `changed` a command of the group, also while it is the only one."""


@app.command()
def changed(
    expression: Annotated[str, typer.Argument(help="A PromQL expression.", show_default=False)],
    since: Annotated[str, typer.Option("--since", help="From when: 30m, 6h, 7d, or a time (ISO 8601).")] = "1h",
    until: Annotated[str, typer.Option("--until", help="Until when; now if left out.")] = "",
    combine: Annotated[
        Combine | None, typer.Option("--combine", help="What series make together; by default what suits the query.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=50, help="At most so many labels.")] = 20,
    output: OutputOption = Format.TABLE,
) -> None:
    """Compare series with those of the same length of time before: the labels' values that differ most.

    Example: qd metrics changed 'sum(rate(http_requests_total[5m]))' --since 1h
    """
    asked = {"query": expression, "since": since, "until": until, "combine": combine.value if combine else ""}
    with Client() as client:
        found = client.get("/promql/changed", asked | {"limit": limit})
    if output in (Format.JSON, Format.YAML):
        write_record(found, output)
        return
    write_rows(_rows(found), output, _COLUMNS)
    now, before = (_number(found[name]) for name in ("now", "before"))
    unit = f" {found['unit']}" if found["unit"] else ""
    note(
        f"{found['combine']} of {found['series']} series: {now} now, {before} before{unit}; "
        f"{found['compared']} labels compared"
    )


def _rows(found: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for label in found["labels"]:
        for value in label["values"]:
            row = change_row({"field": "", **value})
            yield {"label": label["label"], **row, **{name: _number(value[name]) for name in ("before", "now")}}


def _number(value: float | None) -> str:
    return "no samples" if value is None else f"{value:.6g}"
