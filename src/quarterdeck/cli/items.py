"""qd items: read and change the inventory of a running instance."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from quarterdeck.cli import recent, transfer
from quarterdeck.cli.client import Client
from quarterdeck.cli.fields import body_of, find_item
from quarterdeck.cli.output import ColumnsOption, Format, OutputOption, columns_of, note, write_record, write_rows

app = typer.Typer(no_args_is_help=True, help="Read and change items.")
app.command("import")(transfer.import_items)
app.command("export")(transfer.export_items)
for _command in (recent.logs, recent.spans, recent.errors, recent.requests, recent.senders):
    app.command()(_command)

LIST_COLUMNS = ("id", "type", "name", "state", "env", "primary_ip", "owner", "last_seen")
Reference = Annotated[str, typer.Argument(help="Id, name, or type/name of an item.", show_default=False)]
QueryOption = Annotated[str, typer.Option("--query", "-q", help="Query, for example: type:host env:prod -os:debian")]
UnclaimedQuery = Annotated[str, typer.Argument(help="Query; only unclaimed items of it are taken.", show_default=False)]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why, for the history.")]


@app.command("list")
def list_items(
    query: QueryOption = "",
    sort: Annotated[str, typer.Option("--sort", help="Column to order by; -name for the reverse.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=0, help="At most so many rows; 0 for all.")] = 0,
    columns: ColumnsOption = "",
    output: OutputOption = Format.TABLE,
) -> None:
    """List the items that a query selects.

    Example: qd items list -q 'type:host env:prod' --columns name,primary_ip,attributes.cpu_count
    """
    with Client() as client:
        rows = client.rows("/items", {"q": query, "sort": sort}, at_most=limit)
        write_rows(rows, output, columns_of(columns, LIST_COLUMNS))


@app.command()
def show(item: Reference, output: OutputOption = Format.TABLE) -> None:
    """Show one item with all its values. Example: qd items show host/web1"""
    with Client() as client:
        write_record(find_item(client, item), output)


@app.command()
def create(
    type_: Annotated[str, typer.Option("--type", help="Code of the item's type.")],
    name: Annotated[str, typer.Option("--name", help="Name of the item.")],
    values: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", show_default=False)] = None,
    output: OutputOption = Format.TABLE,
) -> None:
    """Create an item.

    Example: qd items create --type host --name web1 env=prod label.role=web cpu_count=8
    """
    body = body_of(values or []) | {"type": type_, "name": name}
    with Client() as client:
        write_record(client.send("POST", "/items", body), output)


@app.command("set")
def set_values(
    item: Reference,
    values: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", show_default=False)] = None,
    unset: Annotated[list[str] | None, typer.Option("--unset", help="Key to remove; may be repeated.")] = None,
    if_version: Annotated[int, typer.Option("--if-version", help="Only when the item has this version.")] = 0,
    reason: ReasonOption = "",
    output: OutputOption = Format.TABLE,
) -> None:
    """Set values by hand: key=text, or key:=JSON for lists and numbers.

    Example: qd items set web1 env=prod label.role=web 'ports:=[80, 443]' --reason "CHG-7"
    """
    body: dict[str, Any] = body_of(values or [], unset or [])
    if reason:
        body["reason"] = reason
    headers = {"If-Match": f'"{if_version}"'} if if_version else {}
    with Client() as client:
        found = find_item(client, item)
        write_record(client.send("PATCH", f"/items/{found['id']}", body, headers=headers), output)


def _way_back(result: dict[str, Any]) -> str:
    return f"; `qd changes undo {result['change_set']}` takes it back" if result["change_set"] else ""


@app.command()
def bulk(
    query: Annotated[str, typer.Option("--query", "-q", help="Query of the items to change.", show_default=False)],
    values: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", show_default=False)] = None,
    unset: Annotated[list[str] | None, typer.Option("--unset", help="Key to remove; may be repeated.")] = None,
    reason: ReasonOption = "",
) -> None:
    """Set the same values on all items that a query selects; all of them or none.

    Example: qd items bulk -q 'type:host env:prod' owner=ops label.tier=1 --reason "CHG-7"
    """
    body = body_of(values or [], unset or []) | {"query": query, "reason": reason}
    with Client() as client:
        result = client.send("POST", "/items/bulk", body)
    note(f"{result['changed']} changed{_way_back(result)}")


@app.command()
def delete(items: Annotated[list[str], typer.Argument(help="Ids or names.")], reason: ReasonOption = "") -> None:
    """Put items in the trash, from where `qd items restore` takes them back. Example: qd items delete web1 web2"""
    with Client() as client:
        ids = [find_item(client, item)["id"] for item in items]
        result = client.send("POST", "/items/trash", {"ids": ids, "reason": reason})
    note(f"{result['changed']} in the trash{_way_back(result)}")


@app.command()
def restore(items: Annotated[list[int], typer.Argument(help="Ids.")], reason: ReasonOption = "") -> None:
    """Take items out of the trash. Example: qd items restore 12 13"""
    with Client() as client:
        result = client.send("POST", "/items/restore", {"ids": items, "reason": reason})
    note(f"{result['changed']} restored")


def _claim(verb: str, query: str, reason: str) -> None:
    with Client() as client:
        result = client.send("POST", f"/items/{verb}", {"query": query, "reason": reason})
    note(f"{result['changed']} {'adopted' if verb == 'adopt' else 'ignored'}{_way_back(result)}")


@app.command()
def adopt(query: UnclaimedQuery, reason: ReasonOption = "") -> None:
    """Make the unclaimed items that a query selects ordinary ones. Example: qd items adopt 'type:host name:web*'"""
    _claim("adopt", query, reason)


@app.command()
def ignore(query: UnclaimedQuery, reason: ReasonOption = "") -> None:
    """Put the unclaimed items that a query selects in the trash: no item appears again for what they send.

    Example: qd items ignore 'name:test-*' --reason laptops
    """
    _claim("ignore", query, reason)


@app.command()
def history(
    item: Reference,
    limit: Annotated[int, typer.Option("--limit", min=0, help="At most so many rows; 0 for all.")] = 100,
    output: OutputOption = Format.TABLE,
) -> None:
    """Show what changed, field by field, newest first. Example: qd items history web1"""
    with Client() as client:
        rows = client.rows(f"/items/{find_item(client, item)['id']}/history", at_most=limit)
        write_rows(rows, output, ("change_set", "at", "actor", "source", "field", "old", "new", "reason"))


@app.command()
def timeline(
    item: Reference,
    limit: Annotated[int, typer.Option("--limit", min=0, help="At most so many rows; 0 for all.")] = 100,
    output: OutputOption = Format.TABLE,
) -> None:
    """Show what happened to an item, newest first. Example: qd items timeline web1"""
    with Client() as client:
        rows = client.rows(f"/items/{find_item(client, item)['id']}/timeline", at_most=limit)
        write_rows(rows, output, ("at", "kind", "severity", "title", "actor"))


@app.command()
def graph(
    item: Reference,
    depth: Annotated[int, typer.Option("--depth", min=1, max=10, help="Steps away from the item.")] = 3,
    output: OutputOption = Format.TABLE,
) -> None:
    """Show what an item is related to. Tables list the relations; JSON and YAML hold nodes and edges.

    Example: qd items graph db1 --depth 2
    """
    with Client() as client:
        found = client.get(f"/items/{find_item(client, item)['id']}/graph", {"depth": depth})
    if output in (Format.JSON, Format.YAML):
        write_record(found, output)
        return
    names = {node["id"]: f"{node['type']}/{node['name']}" for node in found["nodes"]}
    rows = ({"from": names[e["src"]], "relation": e["type"], "to": names[e["dst"]]} for e in found["edges"])
    write_rows(rows, output, ("from", "relation", "to"))


@app.command()
def observations(item: Reference, output: OutputOption = Format.TABLE) -> None:
    """Show what each source last said of an item. Example: qd items observations web1"""
    with Client() as client:
        rows = client.get(f"/items/{find_item(client, item)['id']}/observations")["items"]
        write_rows(rows, output, ("source", "scope", "external_id", "seen_at", "attributes"))


@app.command()
def relate(source: Reference, relation: str, target: Reference) -> None:
    """Relate two items. Example: qd items relate app1 depends_on db1"""
    with Client() as client:
        ids = {"src": find_item(client, source)["id"], "dst": find_item(client, target)["id"]}
        client.send("POST", "/relations", {**ids, "type": relation})


@app.command()
def unrelate(source: Reference, relation: str, target: Reference) -> None:
    """Take a relation away. Example: qd items unrelate app1 depends_on db1"""
    with Client() as client:
        ids = {"src": find_item(client, source)["id"], "dst": find_item(client, target)["id"]}
        client.send("POST", "/relations/remove", {**ids, "type": relation})
