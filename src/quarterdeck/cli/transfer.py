"""qd items import and export: files into the inventory and out of it."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from quarterdeck.cli.client import Client
from quarterdeck.cli.output import Format, OutputOption, note, write_record, write_rows
from quarterdeck.core.errors import BadInput, NotFound, OpsError, Unavailable

_POLL_SECONDS = (0.1, 0.2, 0.5, 1.0)


class RowsRefused(OpsError):
    """The import is done, except for rows that are wrong. The exit code is BSD's EX_DATAERR."""

    code = "rows_refused"
    exit_code = 65


def import_items(
    file: Annotated[Path, typer.Argument(help="File to read.", show_default=False)],
    type_: Annotated[str, typer.Option("--type", help="Type of the rows that name none.")] = "",
    key: Annotated[str, typer.Option("--key", help="Field by which a row finds its item.")] = "name",
    format_: Annotated[str, typer.Option("--format", help="Format; by default told by the file's name.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would change.")] = False,
    output: OutputOption = Format.TABLE,
) -> None:
    """Import a file: CSV, XLSX, JSON, YAML, Ansible inventory, SSH config, hosts file.

    Example: qd items import hosts.csv --type host --key name --dry-run -o json
    """
    if not file.exists():
        raise NotFound(f"{file} does not exist")
    if file.is_dir():
        raise BadInput(f"{file} is a directory", hint="name a file; for an Ansible directory, zip it first")
    fields = {"type": type_, "key": key, "format": format_, "dry_run": "true" if dry_run else "false"}
    with Client() as client, file.open("rb") as content:
        started = client.upload("/imports", file.name, content, fields)
        done = follow(client, started)
    finish(done, output, dry_run=dry_run)


def finish(done: dict[str, Any], output: Format, *, dry_run: bool = False) -> None:
    """Tell what an import did, and how it is taken back. Raises RowsRefused."""
    _report(done, output)
    if done.get("change_set"):
        note(f"`qd changes undo {done['change_set']}` takes it back")
    if done["errors"] and not dry_run:
        raise RowsRefused(f"{len(done['errors'])} rows were refused", hint="correct them and import again")


def follow(client: Client, started: dict[str, Any]) -> dict[str, Any]:
    """Follow an import to its end; return its result."""
    current, polls = started, 0
    while current["phase"] in ("uploaded", "running"):
        if sys.stderr.isatty():
            print(f"\r{current['rows_done']} rows", end="", file=sys.stderr, flush=True)  # noqa: T201
        time.sleep(_POLL_SECONDS[min(polls, len(_POLL_SECONDS) - 1)])
        polls += 1
        current = client.get(f"/imports/{current['id']}")
    if polls and sys.stderr.isatty():
        note("")
    result: dict[str, Any] = current["result"]
    if current["phase"] == "failed":
        raise Unavailable(result.get("message") or "the import failed", hint=result.get("hint", ""))
    return result


def _report(result: dict[str, Any], output: Format) -> None:
    counts = {name: result[name] for name in ("create", "update", "unchanged")}
    if output in (Format.JSON, Format.YAML):
        write_record({**counts, "errors": result["errors"]}, output)
    elif output is Format.CSV:
        write_rows(result["errors"], output, ("row", "field", "message"))
    else:
        write_record(counts, output)
        if result["errors"]:
            write_rows(result["errors"], output, ("row", "field", "message"))


def export_items(
    query: Annotated[str, typer.Option("--query", "-q", help="Query; everything when empty.")] = "",
    format_: Annotated[
        str, typer.Option("--format", help="csv, xlsx, json, yaml, ansible, ssh_config, etc_hosts")
    ] = "csv",
    to: Annotated[Path | None, typer.Option("--to", help="File to write; standard output when left out.")] = None,
) -> None:
    """Export items in a format that imports again unchanged.

    Example: qd items export -q 'type:host' --format xlsx --to hosts.xlsx
    """
    if format_ == "xlsx" and to is None and sys.stdout.isatty():
        raise BadInput("a terminal cannot show a workbook", hint="add --to FILE.xlsx")
    with Client() as client:
        if to is None:
            client.download("/exports/items", sys.stdout.buffer, {"q": query, "format": format_})
            return
        partial = to.with_name(f".{to.name}.part")
        with partial.open("wb") as target:
            client.download("/exports/items", target, {"q": query, "format": format_})
        partial.replace(to)
