"""One's own SELECT over the telemetry."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema
from pydantic import Field
from typing_extensions import TypedDict

from quarterdeck.api.auth import identify
from quarterdeck.api.shapes import Body
from quarterdeck.telemetry.sql import ROWS_DEFAULT, ROWS_MAX, STATEMENT_MAX_CHARACTERS, run_sql

router = Router()


class Column(TypedDict):
    """A column of an answer and its type in ClickHouse."""

    name: str
    type: str


class SqlAnswer(Schema):
    """Rows as `{column: value}`; ids of fixed length are hex digits. `is_cut`: there are more rows than these."""

    columns: list[Column]
    rows: list[dict[str, Any]]
    is_cut: bool
    seconds: float


class SqlStatement(Body):
    query: str = Field(min_length=1, max_length=STATEMENT_MAX_CHARACTERS)
    limit: int = Field(ROWS_DEFAULT, ge=1, le=ROWS_MAX)


@router.post("/sql", response=SqlAnswer)
def run(request: HttpRequest, response: HttpResponse, body: SqlStatement) -> dict[str, Any]:
    """Run one SELECT over samples, series, spans, logs and their likes; read-only, limited, audited."""
    response["Cache-Control"] = "no-store"
    found = run_sql(identify(request), body.query, limit=body.limit)
    columns = [{"name": name, "type": kind} for name, kind in found.columns]
    return {"columns": columns, "rows": found.rows, "is_cut": found.is_cut, "seconds": found.seconds}
