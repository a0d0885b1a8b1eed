"""Printing what changed: one row for each value, those of the field that changed most first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from quarterdeck.cli.output import Format, note, write_record, write_rows

_COLUMNS = ("field", "value", "before", "now", "before_percent", "now_percent", "change")


def write_changes(found: Mapping[str, Any], more: Sequence[Mapping[str, Any]], output: Format) -> None:
    """Print an answer of `/logs/changed` or `/traces/changed`; `more` are rows behind those of its fields."""
    if output in (Format.JSON, Format.YAML):
        write_record(found, output)
        return
    fields = found["fields"]
    values = [{"field": one["field"], **value} for one in fields["fields"] for value in one["values"]]
    write_rows(_rows([*values, *more]), output, _COLUMNS)
    note(f"{fields['now']} now, {fields['before']} before; {fields['compared']} of {fields['known']} fields compared")
    if fields["is_sampled"]:
        note("values are counted in a sample")


def _rows(values: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for one in values:
        yield change_row(one)


def change_row(one: Mapping[str, Any]) -> dict[str, Any]:
    """Return a value of a field as a row of the table."""
    return {
        "field": one["field"],
        "value": {"rest": "(other values)", "absent": "(without it)"}.get(one["kind"], one["value"]),
        "before": one["before"],
        "now": one["now"],
        "before_percent": round(one["before_share"] * 100, 1),
        "now_percent": round(one["now_share"] * 100, 1),
        "change": "new" if one["is_new"] else "gone" if one["is_gone"] else "",
    }
