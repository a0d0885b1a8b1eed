"""qd chart: how an item is doing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer

from quarterdeck.cli.client import Client
from quarterdeck.cli.fields import find_item
from quarterdeck.cli.output import Format, OutputOption, note, safe, write, write_record, write_rows

app = typer.Typer()
_BARS = "▁▂▃▄▅▆▇█"
_WIDTH = 72


@app.command()
def chart(
    item: Annotated[str, typer.Argument(help="Id, name, or type/name of an item.", show_default=False)],
    metric: Annotated[str, typer.Argument(help="Metric; the list of metrics when left out.")] = "",
    since: Annotated[str, typer.Option("--since", help="How far back: 30m, 6h, 7d, or a time (ISO 8601).")] = "1h",
    by: Annotated[
        str | None, typer.Option("--by", help="Labels that tell lines apart, comma separated; '' adds all up.")
    ] = None,
    output: OutputOption = Format.TABLE,
) -> None:
    """Draw a metric of an item. Example: qd chart web1 system_cpu_utilization_ratio --by state --since 6h"""
    with Client() as client:
        id_ = find_item(client, item)["id"]
        if not metric:
            write_rows(client.get(f"/items/{id_}/metrics")["items"], output, ("metric", "unit", "labels", "series"))
            return
        by_param = {} if by is None else {"by": by or ","}
        found = client.get(f"/items/{id_}/chart", {"metric": metric, "since": since} | by_param)
    if output is Format.TABLE:
        _draw(found)
    elif output is Format.CSV:
        write_rows(_points(found), output, ("series", "at", "value"))
    else:
        write_record(found, output)


def _points(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    start, step = datetime.fromisoformat(found["start"]), timedelta(seconds=found["step_seconds"])
    for series in found["series"]:
        for index, value in enumerate(series["values"]):
            if value is not None:
                yield {"series": _name(series), "at": (start + index * step).isoformat(), "value": value}


def _name(series: dict[str, Any]) -> str:
    return ",".join(f"{name}={value}" for name, value in sorted(series["labels"].items())) or "value"


def _sparkline(values: list[float]) -> str:
    """Return one bar for each of up to 72 equal parts of the series."""
    parts = [values[i * len(values) // _WIDTH : (i + 1) * len(values) // _WIDTH] for i in range(_WIDTH)]
    means = [sum(part) / len(part) for part in parts if part] if len(values) > _WIDTH else values
    low, high = min(means), max(means)
    span = (high - low) or 1.0
    return "".join(_BARS[int((mean - low) / span * (len(_BARS) - 1))] for mean in means)


def _draw(found: dict[str, Any]) -> None:
    if not found["series"]:
        note("no samples in this time")
    for series in found["series"]:
        values = [float(value) for value in series["values"] if value is not None]
        if values:
            write(f"{safe(_name(series))}  min {min(values):g}  max {max(values):g}  last {values[-1]:g}\n")
            write(f"{_sparkline(values)}\n")
