"""qd hosts keys: by what hosts are recognized. Part of `qd hosts`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from quarterdeck.cli.client import Client
from quarterdeck.cli.output import Format, OutputOption, note, write_record, write_rows
from quarterdeck.core.errors import BadInput

keys = typer.Typer(no_args_is_help=True, help="Host keys: approve, refuse, forget, import.")
_COLUMNS = (
    "id",
    "state",
    "is_change",
    "address",
    "port",
    "algorithm",
    "fingerprint",
    "expected",
    "item.name",
    "decided_by",
)
_MAX_BYTES = 8 << 20

Chosen = Annotated[
    list[str] | None, typer.Argument(help="Numbers or fingerprints of keys, as `list` tells.", show_default=False)
]
QueryOption = Annotated[str | None, typer.Option("--query", "-q", help="Those that a query selects: env:lab")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@keys.command("list")
def list_(
    query: Annotated[str, typer.Option("--query", "-q", help="is:changed, state:pending, env:prod ...")] = "",
    limit: Annotated[int, typer.Option("--limit", min=0, help="At most so many; 0 for all.")] = 0,
    output: OutputOption = Format.TABLE,
) -> None:
    """List host keys. Example: qd hosts keys list -q 'state:pending env:lab'"""
    with Client() as client:
        write_rows(client.rows("/host-keys", {"q": query}, at_most=limit), output, _COLUMNS)


@keys.command()
def approve(
    chosen: Chosen = None,
    query: QueryOption = None,
    changed: Annotated[
        bool, typer.Option("--changed", help="With a query: also keys that are another than the approved one.")
    ] = False,
    yes: YesOption = False,
) -> None:
    """Let host keys count from now on. Shows their fingerprints, and asks on a terminal.

    Example: qd hosts keys approve -q 'env:lab'
    """
    with Client() as client:
        rows = _rows(client, chosen, query, "state:pending" if changed else "is:new")
        _decide(client, "approve", rows, yes)


@keys.command()
def refuse(chosen: Chosen = None, query: QueryOption = None, yes: YesOption = False) -> None:
    """Never let host keys count, also where they were approved. Example: qd hosts keys refuse 17"""
    with Client() as client:
        _decide(client, "refuse", _rows(client, chosen, query), yes)


@keys.command()
def forget(chosen: Chosen = None, query: QueryOption = None, yes: YesOption = False) -> None:
    """Delete what is known of host keys; what is shown next is new. Example: qd hosts keys forget -q 'name:web1'"""
    with Client() as client:
        _decide(client, "forget", _rows(client, chosen, query), yes)


@keys.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A known_hosts file; - for stdin.", show_default=False)],
    output: OutputOption = Format.TABLE,
) -> None:
    """Approve the keys of a known_hosts file; tells which lines were not taken, and why.

    Example: qd hosts keys import ~/.ssh/known_hosts
    """
    with Client() as client:
        done = client.send("POST", "/host-keys/import", {"text": _text(file)})
    if output in (Format.JSON, Format.YAML):
        write_record(done, output)
        return
    write_rows(done["skipped"], output, ("line", "name", "reason"))
    note(f"{done['approved']} approved, {done['refused']} refused, {done['unchanged']} as they were")


def _text(file: Path) -> str:
    content = sys.stdin.buffer.read(_MAX_BYTES + 1) if str(file) == "-" else file.expanduser().read_bytes()
    if len(content) > _MAX_BYTES:
        raise BadInput(f"{file} is larger than 8 MB", hint="split the file")
    return content.decode(errors="replace").replace("\0", "")


def _rows(client: Client, chosen: list[str] | None, query: str | None, also: str = "") -> list[dict[str, Any]]:
    """Return the keys that are meant. Raises BadInput for one that is not there, and when none is named."""
    if query is not None and not chosen:
        return list(client.rows("/host-keys", {"q": f"({query}) {also}" if query.strip() else also}))
    if not chosen or query is not None:
        raise BadInput("name keys, or a query", hint="qd hosts keys list shows their numbers")
    rows = []
    for one in chosen:
        field = "id" if one.isdecimal() else "fingerprint"
        found = list(client.rows("/host-keys", {"q": f'{field}:"{one}"'}))
        if not found:
            raise BadInput(f'there is no host key "{one}"', hint="qd hosts keys list shows them")
        rows.extend(found)
    return rows


def _decide(client: Client, operation: str, rows: list[dict[str, Any]], yes: bool) -> None:
    """Show the keys, ask on a terminal, and send their numbers: what was looked at is what is decided on."""
    if not rows:
        note("no host key is selected")
        return
    write_rows(rows, Format.TABLE, _COLUMNS)
    if not yes and sys.stdin.isatty():
        typer.confirm(f"{operation} {len(rows)} host keys?", abort=True, err=True)
    done = client.send("POST", f"/host-keys/{operation}", {"ids": [row["id"] for row in rows]})
    note(f"{operation}: {done['changed']} of {len(rows)} host keys changed")
