"""qd hosts: put hosts under management by their names; the inventory has them, nothing else keeps a list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Any

import typer

from quarterdeck.cli.client import Client
from quarterdeck.cli.host_keys import keys
from quarterdeck.cli.output import Format, OutputOption, note, write_rows
from quarterdeck.cli.transfer import finish
from quarterdeck.core.errors import BadInput

app = typer.Typer(no_args_is_help=True, help="Hosts that are reached by SSH.")
app.add_typer(keys, name="keys")
_FACTS = ("item", "name", "status", "code", "message", "packages")
_AT_ONCE = 50
_SOME_UNREACHABLE = 3


@app.command()
def add(
    names: Annotated[list[str], typer.Argument(help="Names, or patterns: web[01:50].example", show_default=False)],
    user: Annotated[str, typer.Option("--user", help="Account to sign in as.")] = "",
    port: Annotated[
        int | None, typer.Option("--port", min=1, max=65535, help="Port of SSH; 22 when none is set.")
    ] = None,
    credential: Annotated[str, typer.Option("--credential", help="Credential that signs in on them.")] = "",
    address_pattern: Annotated[
        str, typer.Option("--address-pattern", help="Addresses in the names' order: 10.0.0.[1:50]")
    ] = "",
    jump: Annotated[str, typer.Option("--jump", help="Jump hosts on the way, as ProxyJump has them.")] = "",
    values: Annotated[
        list[str] | None, typer.Option("--set", help="key=value for each, env=prod or label.role=web; may be repeated.")
    ] = None,
    output: OutputOption = Format.TABLE,
) -> None:
    """Add hosts to the inventory with how they are reached; those that are there already are changed.

    Example: qd hosts add 'web[01:50].example' --user ops --credential lab --set env=prod
    """
    wanted = {
        "names": names,
        "address_pattern": address_pattern,
        "user": user,
        "port": port,
        "jump": jump,
        "credential": credential,
        "values": dict(_pair(text) for text in values or ()),
    }
    with Client() as client:
        done = client.send("POST", "/hosts", wanted)
    finish(done, output)


@app.command()
def facts(
    query: Annotated[str, typer.Option("--query", "-q", help="Which hosts: env:lab")],
    accept_new_host_keys: Annotated[
        bool, typer.Option("--accept-new-host-keys", help="Approve what is shown at a first contact, in your name.")
    ] = False,
    output: OutputOption = Format.TABLE,
) -> None:
    """Reach hosts and take their facts into the inventory: system, hardware, addresses, ports, packages.

    Exit code 0 when all answered, 3 when some did not. Example: qd hosts facts -q 'env:lab'
    """
    failed: list[str] = []
    with Client() as client:
        rows = client.rows("/items", {"q": f"type:host ({query})" if query.strip() else "type:host"})
        write_rows(_asked(client, rows, accept_new_host_keys, failed), output, _FACTS)
    if failed:
        note(f"{len(failed)} hosts did not answer")
        raise typer.Exit(_SOME_UNREACHABLE)


def _asked(
    client: Client, items: Iterable[dict[str, Any]], accepts_new: bool, failed: list[str]
) -> Iterator[dict[str, Any]]:
    """Yield each host's row as its part comes back; the names of those that failed are put into `failed`."""
    ids = [item["id"] for item in items]
    for start in range(0, len(ids), _AT_ONCE):
        body = {"ids": ids[start : start + _AT_ONCE], "accept_new_host_keys": accepts_new}
        for row in client.send("POST", "/hosts/facts", body)["hosts"]:
            if row["status"] != "ok":
                failed.append(row["name"])
            yield row


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise BadInput(f'"{text}" is not key=value', hint="for example --set env=prod --set label.role=web")
    return key.strip(), value
