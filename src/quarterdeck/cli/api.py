"""qd api: any address of the API, for what has no command of its own."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer

from quarterdeck.cli.client import Client
from quarterdeck.cli.output import to_json, write
from quarterdeck.core.errors import BadInput

app = typer.Typer()


@app.command()
def api(
    path: Annotated[str, typer.Argument(help="Address below /api/v1, for example /status.", show_default=False)],
    method: Annotated[str, typer.Option("--method", "-X", help="GET, POST, PUT, PATCH or DELETE.")] = "GET",
    parameter: Annotated[list[str] | None, typer.Option("--param", "-p", help="Query parameter, name=value.")] = None,
    data: Annotated[str, typer.Option("--data", "-d", help="JSON body; - reads standard input.")] = "",
) -> None:
    """Call the API and print the JSON that it answers.

    Example: qd api /facets -p q=type:host
    """
    params = dict(_pair(text) for text in parameter or [])
    with Client() as client:
        is_read = method.upper() == "GET"
        answer = client.get(path, params) if is_read else client.send(method.upper(), path, _body(data))
    if answer is not None:
        write(f"{to_json(answer)}\n")


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise BadInput(f'"{text}" is not name=value', hint="for example -p q=type:host")
    return name, value


def _body(data: str) -> Any:
    text = sys.stdin.read() if data == "-" else data
    try:
        return json.loads(text) if text.strip() else None
    except ValueError as error:
        raise BadInput(f"the body is not JSON: {error}", hint="quote it for the shell") from error
