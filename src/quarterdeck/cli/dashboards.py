"""qd dashboards: dashboards as files."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from quarterdeck.cli.client import Client
from quarterdeck.cli.output import (
    ColumnsOption,
    Format,
    OutputOption,
    columns_of,
    note,
    safe,
    to_yaml,
    write,
    write_record,
    write_rows,
)
from quarterdeck.core.errors import BadInput, NotFound

app = typer.Typer(no_args_is_help=True, help="Dashboards, as files of YAML.")
Slug = Annotated[str, typer.Argument(help="Short name of the dashboard.", show_default=False)]
_SUFFIXES = (".yaml", ".yml", ".json")
_COLUMNS = ("slug", "title", "version", "panels", "changed_by", "changed_at")


@app.command("list")
def list_dashboards(columns: ColumnsOption = "", output: OutputOption = Format.TABLE) -> None:
    """List the dashboards. Example: qd dashboards list"""
    with Client() as client:
        write_rows(client.rows("/dashboards"), output, columns_of(columns, _COLUMNS))


@app.command()
def show(slug: Slug, output: OutputOption = Format.TABLE) -> None:
    """List the panels of a dashboard with their queries. Example: qd dashboards show hosts"""
    with Client() as client:
        found = client.get(f"/dashboards/{slug}")
    if output in (Format.JSON, Format.YAML):
        write_record(found, output)
        return
    panels = found["definition"].get("panels", [])
    rows = [{**panel, "queries": [query["expr"] for query in panel.get("queries", [])]} for panel in panels]
    write_rows([{"kind": "timeseries", **row} for row in rows], output, ("id", "kind", "title", "queries"))


@app.command("export")
def export_dashboards(
    slugs: Annotated[
        list[str] | None, typer.Argument(help="Short names; all when left out.", show_default=False)
    ] = None,
    directory: Annotated[
        Path | None, typer.Option("--to", help="Directory for a file each; without it, one goes to the output.")
    ] = None,
) -> None:
    """Write dashboards as files of YAML. Example: qd dashboards export hosts > hosts.yaml"""
    with Client() as client:
        names = slugs or [row["slug"] for row in client.rows("/dashboards")]
        if directory is None and len(names) != 1:
            raise BadInput(f"these are {len(names)} dashboards", hint="name one, or a directory with --to")
        for name in names:
            _export(to_yaml({"slug": name, **client.get(f"/dashboards/{name}")["definition"]}), name, directory)


def _export(text: str, name: str, directory: Path | None) -> None:
    if directory is None:
        write(text)
        return
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"{name}.yaml").write_text(text, encoding="utf-8")


@app.command("import")
def import_dashboards(
    files: Annotated[
        list[Path], typer.Argument(help="Files of YAML or JSON, or directories of them.", show_default=False)
    ],
    slug: Annotated[str, typer.Option("--slug", help="Short name; of one file only.")] = "",
    remark: Annotated[str, typer.Option("--note", help="What the change is for; the versions tell it.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would change.")] = False,
    output: OutputOption = Format.TABLE,
) -> None:
    """Make dashboards of files, or new versions of them: ours, and Grafana's JSON. What could not be taken is told.

    Example: qd dashboards import boards/ --note "two more panels" --dry-run
    """
    paths = list(_files(files))
    if slug and len(paths) != 1:
        raise BadInput(f"--slug names one dashboard, these are {len(paths)} files", hint="leave it out")
    wanted = [(path, _content(path)) for path in paths]
    with Client() as client:
        rows = [_import(client, path, content, slug, remark, dry_run) for path, content in wanted]
    write_rows(rows, output, ("file", "slug", "title", "result", "version"))
    for row in rows:
        for one in row["notes"]:
            note(safe(f"{row['file']}: {one['where']}: {one['what']}"))


def _files(paths: list[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(file for file in path.iterdir() if file.suffix in _SUFFIXES)
        elif path.exists() or path == Path("-"):
            yield path
        else:
            raise NotFound(f"{path} does not exist")


def _content(path: Path) -> dict[str, Any]:
    import yaml

    from quarterdeck.core.yamls import CoreLoader

    text = sys.stdin.read() if path == Path("-") else path.read_text(encoding="utf-8")
    try:
        values = json.loads(text) if text.lstrip().startswith("{") else yaml.load(text, CoreLoader)  # noqa: S506
    except (yaml.YAMLError, json.JSONDecodeError) as error:
        raise BadInput(
            f"{path} is no YAML and no JSON: {error}", hint="`qd dashboards export` writes a file to begin with"
        ) from error
    if not isinstance(values, dict):
        raise BadInput(f"{path} is no dashboard", hint="it holds title, panels ... : see docs/guides/dashboards.md")
    return values


def _import(
    client: Client, path: Path, content: dict[str, Any], slug: str, remark: str, dry_run: bool
) -> dict[str, Any]:
    body = {"content": content, "name": path.name, "slug": slug, "note": remark, "dry_run": dry_run}
    return {"file": str(path), **client.send("POST", "/dashboards/import", body)}


@app.command()
def versions(slug: Slug, columns: ColumnsOption = "", output: OutputOption = Format.TABLE) -> None:
    """List who changed a dashboard when. Example: qd dashboards versions hosts"""
    with Client() as client:
        rows = client.rows(f"/dashboards/{slug}/versions")
        write_rows(rows, output, columns_of(columns, ("number", "changed_at", "changed_by", "note")))


@app.command()
def restore(
    slug: Slug,
    number: Annotated[int, typer.Argument(help="The version that is to be the newest again.", show_default=False)],
    output: OutputOption = Format.TABLE,
) -> None:
    """Make an earlier version the newest again. Example: qd dashboards restore hosts 3"""
    with Client() as client:
        found = client.send("POST", f"/dashboards/{slug}/restore", {"number": number})
        write_record({name: found[name] for name in _COLUMNS}, output)


@app.command()
def delete(slug: Slug) -> None:
    """Delete a dashboard with its versions. Example: qd dashboards delete hosts"""
    with Client() as client:
        client.send("DELETE", f"/dashboards/{slug}")
