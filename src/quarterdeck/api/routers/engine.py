"""The telemetry store: sizes, disk, what its guard did."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema
from typing_extensions import TypedDict

from quarterdeck.access.checks import require
from quarterdeck.api.auth import identify
from quarterdeck.api.shapes import moment
from quarterdeck.telemetry import queries

router = Router()


class TableRow(TypedDict):
    """One table; `bytes` on disk, compressed."""

    name: str
    rows: int
    bytes: int
    parts: int


class Dropped(TypedDict):
    """What the disk guard dropped last."""

    at: str
    table: str
    partition: str
    rows: int
    bytes: int


class EngineRow(Schema):
    version: str
    mode: str
    tables: list[TableRow]
    disk_free_bytes: int
    disk_total_bytes: int
    last_guard_action: Dropped | None
    warnings: list[str]


@router.get("/engine", response=EngineRow)
def read(request: HttpRequest) -> dict[str, Any]:
    """Tell how large the telemetry store is, how full its disk, and what to know about it."""
    require(identify(request), "settings.view")
    found = queries.engine_status()
    row = asdict(found)
    if found.last_guard_action is not None:
        row["last_guard_action"]["at"] = moment(found.last_guard_action.at)
    return row
