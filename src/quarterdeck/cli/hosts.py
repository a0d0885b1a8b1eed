"""qd hosts: put hosts under management by their names; the inventory has them, nothing else keeps a list."""

from __future__ import annotations

from typing import Annotated

import typer

from quarterdeck.cli.client import Client
from quarterdeck.cli.host_keys import keys
from quarterdeck.cli.output import Format, OutputOption
from quarterdeck.cli.transfer import finish
from quarterdeck.core.errors import BadInput

app = typer.Typer(no_args_is_help=True, help="Hosts that are reached by SSH.")
app.add_typer(keys, name="keys")


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


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise BadInput(f'"{text}" is not key=value', hint="for example --set env=prod --set label.role=web")
    return key.strip(), value
