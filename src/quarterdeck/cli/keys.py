"""keys create, list, change, revoke: what lets senders in. On a data directory (--data), or on the running instance."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import typer

from quarterdeck.cli import instance
from quarterdeck.cli.client import Client
from quarterdeck.cli.output import Format, OutputOption, note, write_record, write_rows
from quarterdeck.cli.token import DataOption, is_remote
from quarterdeck.core.errors import BadInput

app = typer.Typer(no_args_is_help=True, help="Intake keys: who may send, by which protocols, how much.")
COLUMNS = ("id", "name", "hint", "protocols", "labels", "records_per_second", "created_at", "revoked_at")
_FIELDS = (
    *("id", "name", "hint", "protocols", "labels", "networks", "records_per_second", "records_per_day"),
    *("created_by", "created_at", "revoked_at"),
)

ProtocolsOption = Annotated[str, typer.Option("--protocols", help="Names with commas, otlp,zabbix; or all.")]
LabelOption = Annotated[
    list[str] | None, typer.Option("--label", help="NAME=VALUE, added to all that comes with it; may be repeated.")
]
NetworkOption = Annotated[
    list[str] | None,
    typer.Option("--network", help="CIDR whose senders need not show the key; may be repeated."),
]
RateOption = Annotated[int | None, typer.Option("--rate", min=0, help="Records per second; 0 is no limit.")]
DayOption = Annotated[int | None, typer.Option("--per-day", min=0, help="Records per day (UTC); 0 is no limit.")]


def _values(
    protocols: str | None,
    labels: Iterable[str] | None,
    networks: Iterable[str] | None,
    rate: int | None,
    per_day: int | None,
) -> dict[str, Any]:
    """Return the fields that were given."""
    found: dict[str, Any] = {
        "protocols": None if protocols is None else [name.strip() for name in protocols.split(",") if name.strip()],
        "labels": dict(map(_label, labels)) if labels else None,
        "networks": list(networks) if networks else None,
        "records_per_second": rate,
        "records_per_day": per_day,
    }
    return {name: value for name, value in found.items() if value is not None}


def _label(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise BadInput(f'--label is "{text}"', hint="it looks like --label env=prod", field="labels")
    return name, value


def _row(key: Any) -> dict[str, Any]:
    values = {name: getattr(key, name) for name in _FIELDS}
    moments = {name: values[name].isoformat() if values[name] else None for name in ("created_at", "revoked_at")}
    return {**values, **moments}


@app.command()
def create(
    name: Annotated[str, typer.Option("--name", help="Who sends with it.")],
    protocols: ProtocolsOption = "all",
    label: LabelOption = None,
    network: NetworkOption = None,
    rate: RateOption = None,
    per_day: DayOption = None,
    data: DataOption = None,
    output: OutputOption = Format.TABLE,
) -> None:
    """Make a key and print it. Its text is shown this once.

    Example: qd keys create --name lab --protocols otlp,zabbix --label env=lab -o json
    """
    values = {"name": name, **_values(protocols, label, network, rate, per_day)}
    if is_remote(data):
        with Client() as client:
            write_record(client.send("POST", "/intake/keys", values), output)
        return
    instance.open(data)
    from quarterdeck.audit.actor import SYSTEM
    from quarterdeck.telemetry.keys import create_key

    key, plain = create_key(SYSTEM.named("system:cli"), **values)
    write_record({**_row(key), "key": plain}, output)


@app.command("list")
def list_keys(data: DataOption = None, output: OutputOption = Format.TABLE) -> None:
    """List keys, revoked ones too; the text of none can be shown. Example: qd keys list"""
    if is_remote(data):
        with Client() as client:
            write_rows(client.rows("/intake/keys"), output, COLUMNS)
        return
    instance.open(data)
    from quarterdeck.telemetry.models import IntakeKey

    write_rows(map(_row, IntakeKey.objects.order_by("pk")), output, COLUMNS)


@app.command()
def change(
    key: Annotated[int, typer.Argument(help="Id of the key.", show_default=False)],
    name: Annotated[str | None, typer.Option("--name", help="Its new name.")] = None,
    protocols: Annotated[str | None, typer.Option("--protocols", help="Names with commas; or all.")] = None,
    label: LabelOption = None,
    network: NetworkOption = None,
    rate: RateOption = None,
    per_day: DayOption = None,
    data: DataOption = None,
    output: OutputOption = Format.TABLE,
) -> None:
    """Change a key's name, protocols, labels, networks or limits; its text stays. Example: qd keys change 3 --rate 9"""
    values = {**({"name": name} if name is not None else {}), **_values(protocols, label, network, rate, per_day)}
    if not values:
        raise BadInput(
            "nothing is to be changed", hint="add --name, --protocols, --label, --network, --rate, --per-day"
        )
    if is_remote(data):
        with Client() as client:
            write_record(client.send("PATCH", f"/intake/keys/{key}", values), output)
        return
    instance.open(data)
    from quarterdeck.audit.actor import SYSTEM
    from quarterdeck.telemetry.keys import change_key

    write_record(_row(change_key(SYSTEM.named("system:cli"), key, values)), output)


@app.command()
def revoke(
    key: Annotated[int, typer.Argument(help="Id of the key.", show_default=False)], data: DataOption = None
) -> None:
    """Revoke a key: within two seconds nothing comes in with it. Example: qd keys revoke 3"""
    if is_remote(data):
        with Client() as client:
            client.send("DELETE", f"/intake/keys/{key}")
    else:
        instance.open(data)
        from quarterdeck.audit.actor import SYSTEM
        from quarterdeck.telemetry.keys import revoke_key

        revoke_key(SYSTEM.named("system:cli"), key)
    note(f"key {key} is revoked")
