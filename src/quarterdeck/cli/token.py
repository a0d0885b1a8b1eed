"""token create, list, revoke: on a data directory (--data), or on the running instance that QD_URL names."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from quarterdeck.cli import instance
from quarterdeck.cli.client import Client
from quarterdeck.cli.output import Format, OutputOption, note, write, write_rows
from quarterdeck.core.errors import BadInput

app = typer.Typer(no_args_is_help=True, help="API tokens.")
DataOption = Annotated[
    Path | None,
    typer.Option("--data", help="Work on this data directory instead of a running instance.", show_default=False),
]
COLUMNS = ("id", "name", "roles", "owner", "created_at", "expires_at", "last_used_at")


def is_remote(data: Path | None) -> bool:
    """Whether a command that can do both goes to QD_URL: --data wins, then QD_URL, then the usual data directory."""
    return data is None and bool(os.environ.get("QD_URL"))


def _expiry(days: int) -> datetime | None:
    return datetime.now(UTC) + timedelta(days=days) if days else None


@app.command()
def create(
    name: Annotated[str, typer.Option("--name", help="What the token is for.")],
    role: Annotated[list[str] | None, typer.Option("--role", help="Role; may be repeated.")] = None,
    expires_days: Annotated[int, typer.Option("--expires-days", min=0, help="Days until it expires; 0: never.")] = 0,
    data: DataOption = None,
) -> None:
    """Create a token and print it, alone. It is shown this once.

    Example: export QD_TOKEN=$(quarterdeck token create --name ci --role operator)
    """
    if not role:
        raise BadInput("no role is named", hint="add --role viewer, operator, auditor or admin")
    if is_remote(data):
        expires = _expiry(expires_days)
        body = {"name": name, "roles": role, "expires_at": expires.isoformat() if expires else None}
        with Client() as client:
            write(f"{client.send('POST', '/tokens', body)['token']}\n")
        return
    instance.open(data)
    from quarterdeck.access.actions import create_token
    from quarterdeck.audit.actor import SYSTEM

    _token, plain = create_token(SYSTEM.named("system:cli"), name, role, expires_at=_expiry(expires_days))
    write(f"{plain}\n")


@app.command("list")
def list_tokens(data: DataOption = None, output: OutputOption = Format.TABLE) -> None:
    """List tokens; the secret part of none can be shown. Example: qd token list"""
    if is_remote(data):
        with Client() as client:
            write_rows(client.rows("/tokens"), output, COLUMNS)
        return
    instance.open(data)
    from quarterdeck.access.models import Token

    write_rows(map(_row, Token.objects.order_by("pk")), output, COLUMNS)


def _row(token: Any) -> dict[str, Any]:
    moments = ("created_at", "expires_at", "last_used_at")
    return {
        "id": token.pk,
        "name": token.name,
        "roles": [role.name for role in token.roles.all()],
        "owner": str(token.user) if token.user else "",
        **{name: getattr(token, name).isoformat() if getattr(token, name) else None for name in moments},
    }


@app.command()
def revoke(
    token: Annotated[int, typer.Argument(help="Id of the token.", show_default=False)], data: DataOption = None
) -> None:
    """Revoke a token: its next request is refused. Example: qd token revoke 7"""
    if is_remote(data):
        with Client() as client:
            client.send("DELETE", f"/tokens/{token}")
    else:
        instance.open(data)
        from quarterdeck.access.actions import revoke_token
        from quarterdeck.audit.actor import SYSTEM

        revoke_token(SYSTEM.named("system:cli"), token)
    note(f"token {token} is revoked")
