"""qd items logs, spans, errors, requests, senders: what an item sends."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from quarterdeck.cli.client import Client
from quarterdeck.cli.fields import find_item
from quarterdeck.cli.output import ColumnsOption, Format, OutputOption, columns_of, write_record, write_rows

Reference = Annotated[str, typer.Argument(help="Id, name, or type/name of an item.", show_default=False)]
Since = Annotated[str, typer.Option("--since", help="How far back: 30m, 6h, 7d, or a time (ISO 8601).")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many rows.")]


class Order(StrEnum):
    LATEST = "latest"
    SLOWEST = "slowest"
    ERRORS = "errors"


def logs(
    item: Reference,
    since: Since = "1h",
    limit: Limit = 100,
    columns: ColumnsOption = "",
    output: OutputOption = Format.TABLE,
) -> None:
    """Show the newest log lines of an item. Example: qd items logs web1 --since 6h"""
    with Client() as client:
        id_ = find_item(client, item)["id"]
        rows = client.get(f"/items/{id_}/logs", {"since": since, "limit": limit})["items"]
    write_rows(rows, output, columns_of(columns, ("ts", "level", "service", "message")))


def spans(
    item: Reference,
    since: Since = "1h",
    order: Annotated[Order, typer.Option("--order", help="Which spans come first.")] = Order.LATEST,
    limit: Limit = 100,
    columns: ColumnsOption = "",
    output: OutputOption = Format.TABLE,
) -> None:
    """Show spans of an item. Example: qd items spans service/shop --order slowest"""
    with Client() as client:
        id_ = find_item(client, item)["id"]
        rows = client.get(f"/items/{id_}/spans", {"since": since, "order": order.value, "limit": limit})["items"]
    write_rows(rows, output, columns_of(columns, ("ts", "duration_ns", "service", "name", "is_error", "trace_id")))


def errors(
    item: Reference,
    since: Since = "1h",
    limit: Limit = 100,
    columns: ColumnsOption = "",
    output: OutputOption = Format.TABLE,
) -> None:
    """Show the newest error events of an item. Example: qd items errors service/shop --since 7d"""
    with Client() as client:
        id_ = find_item(client, item)["id"]
        rows = client.get(f"/items/{id_}/errors", {"since": since, "limit": limit})["items"]
    write_rows(rows, output, columns_of(columns, ("ts", "level", "service", "release", "message")))


def requests(item: Reference, since: Since = "1h", output: OutputOption = Format.TABLE) -> None:
    """Show rate, errors and durations of a service's calls. Tables list the operations; JSON and YAML hold all.

    Example: qd items requests service/shop --since 6h
    """
    with Client() as client:
        found = client.get(f"/items/{find_item(client, item)['id']}/requests", {"since": since, "step_seconds": 3600})
    if output in (Format.JSON, Format.YAML):
        write_record(found, output)
        return
    write_rows(found["operations"], output, ("name", "kind", "count", "errors", "p50_ns", "p95_ns", "p99_ns"))


def senders(item: Reference, output: OutputOption = Format.TABLE) -> None:
    """Show who sends telemetry for an item, and when last. Example: qd items senders web1"""
    with Client() as client:
        rows = client.get(f"/items/{find_item(client, item)['id']}/senders")["items"]
    write_rows(rows, output, ("kind", "name", "protocol", "key", "first_seen", "last_seen"))
