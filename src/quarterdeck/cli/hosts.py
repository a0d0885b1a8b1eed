"""qd hosts: put hosts under management by their names; the inventory has them, nothing else keeps a list."""

from __future__ import annotations

import csv
import io
import ipaddress
from collections.abc import Sequence
from typing import Annotated, BinaryIO

import typer

from quarterdeck.cli.client import Client
from quarterdeck.cli.host_keys import keys
from quarterdeck.cli.output import Format, OutputOption
from quarterdeck.cli.transfer import finish, follow
from quarterdeck.core.errors import BadInput
from quarterdeck.core.ranges import expanded

app = typer.Typer(no_args_is_help=True, help="Hosts that are reached by SSH.")
app.add_typer(keys, name="keys")
# The label that a credential named here is attached by, one query for all of its hosts.
_LABEL = "sign_in"


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
    hosts = [name for pattern in names for name in expanded(pattern)]
    addresses = expanded(address_pattern) if address_pattern else []
    if addresses and len(addresses) != len(hosts):
        raise BadInput(f"{len(hosts)} names and {len(addresses)} addresses", hint="give as many addresses as names")
    common = _common(user, port, jump, credential, values or ())
    rows = [{"name": name, **common} for name in hosts]
    for row, address in zip(rows, addresses, strict=False):
        row.update(_address(address))
    with Client() as client:
        if credential:
            _attach(client, credential)
        fields = {"type": "host", "key": "name", "format": "csv", "dry_run": "false"}
        done = follow(client, client.upload("/imports", "hosts.csv", _csv(rows), fields))
    finish(done, output)


def _common(user: str, port: int | None, jump: str, credential: str, values: Sequence[str]) -> dict[str, str]:
    """Return the columns that all hosts share. Raises BadInput."""
    found = {"ssh_user": user, "ssh_port": str(port or ""), "ssh_proxy_jump": jump}
    if credential:
        found[f"label.{_LABEL}"] = credential
    for pair in values:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise BadInput(f'"{pair}" is not key=value', hint="for example --set env=prod --set label.role=web")
        found[key.strip()] = value
    return {name: value for name, value in found.items() if value}


def _attach(client: Client, credential: str) -> None:
    """Attach the credential to the hosts that carry its label, once."""
    query = f"type:host label.{_LABEL}:{credential}"
    found = client.get(f"/credentials/{credential}")
    if not any(one["query"] == query for one in found["attachments"]):
        client.send("POST", f"/credentials/{credential}/attachments", {"query": query})


def _address(address: str) -> dict[str, str]:
    """Return where an address stands: an IP address in its column, a name as the host's full one."""
    try:
        return {"primary_ip": str(ipaddress.ip_address(address))}
    except ValueError:
        return {"fqdn": address}


def _csv(rows: Sequence[dict[str, str]]) -> BinaryIO:
    columns = list(dict.fromkeys(column for row in rows for column in row))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows(rows)
    return io.BytesIO(text.getvalue().encode())
