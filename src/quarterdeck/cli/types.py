"""qd types: what items may be."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from quarterdeck.cli.client import Client
from quarterdeck.cli.output import ColumnsOption, Format, OutputOption, columns_of, write_record, write_rows
from quarterdeck.core.errors import NotFound

app = typer.Typer(no_args_is_help=True, help="Read and change types and their attributes.")
Code = Annotated[str, typer.Argument(help="Code of a type, for example host.", show_default=False)]


@app.command("list")
def list_types(columns: ColumnsOption = "", output: OutputOption = Format.TABLE) -> None:
    """List the types. Example: qd types list -o json"""
    with Client() as client:
        rows = client.rows("/types")
        write_rows(rows, output, columns_of(columns, ("code", "title_en", "title_zh", "group", "items")))


@app.command()
def show(code: Code, output: OutputOption = Format.TABLE) -> None:
    """Show a type with its attributes. Example: qd types show host"""
    with Client() as client:
        found = client.get(f"/types/{code}")
    if output in (Format.JSON, Format.YAML):
        write_record(found, output)
    else:
        write_rows(found["attributes"], output, ("code", "kind", "required", "unique", "indexed", "unit", "title_en"))


@app.command()
def apply(
    file: Annotated[Path, typer.Argument(help="YAML file; - for standard input.")], output: OutputOption = Format.TABLE
) -> None:
    """Create and change types from a YAML file, as `qd types export` writes it. Example: qd types apply types.yaml"""
    if str(file) != "-" and not file.is_file():
        raise NotFound(f"{file} does not exist")
    text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    with Client() as client:
        write_record(client.send("POST", "/types/apply", {"yaml": text}), output)


@app.command()
def export() -> None:
    """Print every type as YAML that `qd types apply` takes. Example: qd types export > types.yaml"""
    with Client() as client:
        client.download("/types/export", sys.stdout.buffer)
