"""qd templates: prepared work with a form."""

from __future__ import annotations

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
    write,
    write_record,
    write_rows,
)
from quarterdeck.cli.running import watch
from quarterdeck.core.errors import BadInput, NotFound

app = typer.Typer(no_args_is_help=True, help="Job templates: prepared work with a form.")
_COLUMNS = ("name", "title", "runner", "query", "questions", "version", "changed_by")
_QUESTIONS = ("name", "kind", "label", "required", "default", "choices")
NameArgument = Annotated[str, typer.Argument(help="Name of the template.", show_default=False)]
SetOption = Annotated[list[str] | None, typer.Option("--set", help="Answer to a question: service=nginx. Repeat it.")]


@app.command("list")
def list_(columns: ColumnsOption = "", output: OutputOption = Format.TABLE) -> None:
    """List the templates. Example: qd templates list"""
    with Client() as client:
        write_rows(client.rows("/templates"), output, columns_of(columns, _COLUMNS))


@app.command()
def library(output: OutputOption = Format.TABLE) -> None:
    """List the templates that come with the product. `qd templates apply --library NAME` takes one."""
    with Client() as client:
        write_rows(client.rows("/templates/library"), output, ("name", "title", "description", "is_taken"))


@app.command()
def show(name: NameArgument, output: OutputOption = Format.TABLE) -> None:
    """Show what a template asks. Example: qd templates show restart-service"""
    with Client() as client:
        found = client.get(f"/templates/{name}")
    if output in (Format.JSON, Format.YAML):
        write_record(found, output)
        return
    note(safe(f"{found['title']}: {found['description']}"))
    rows = [{"kind": "text", "required": False, **one} for one in found["definition"].get("survey", [])]
    write_rows(rows, output, _QUESTIONS)


@app.command()
def apply(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Files of YAML, directories of them, - for the input.")
    ] = None,
    from_library: Annotated[
        list[str] | None, typer.Option("--library", help="Name of one of the library, or all. Repeat it.")
    ] = None,
    output: OutputOption = Format.TABLE,
) -> None:
    """Make templates of files, or change them to what the files say; what is the same is left alone.

    Example: qd templates apply restart.yaml --library patch
    """
    if not files and not from_library:
        raise BadInput("nothing to apply", hint="qd templates apply FILE, or --library NAME")
    wanted = [_named(path) for path in _files(files or [])]
    with Client() as client:
        wanted += _of_library(client, from_library or [])
        rows = [_apply(client, name, definition) for name, definition in wanted]
    write_rows(rows, output, ("name", "result", "version", "title"))


def _files(paths: list[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(file for file in path.iterdir() if file.suffix in (".yaml", ".yml"))
        elif path.exists() or path == Path("-"):
            yield path
        else:
            raise NotFound(f"{path} does not exist")


def _named(path: Path) -> tuple[str, dict[str, Any]]:
    """Return the name and the definition that a file holds; the file's own name where none stands in it."""
    from quarterdeck.core.yamls import load

    text = sys.stdin.read() if path == Path("-") else path.read_text(encoding="utf-8")
    values = load(text, str(path), may_have_aliases=False)
    if not isinstance(values, dict):
        raise BadInput(f"{path} is no template", hint="it holds name, title, work ... : see docs/guides/templates.md")
    name = values.pop("name", "") or ("" if path == Path("-") else path.stem)
    if not isinstance(name, str) or not name:
        raise BadInput(f"{path} names no template", hint="name: restart-service")
    return name, values


def _of_library(client: Client, names: list[str]) -> list[tuple[str, dict[str, Any]]]:
    if not names:
        return []
    known = {row["name"]: row["definition"] for row in client.rows("/templates/library")}
    if unknown := [name for name in names if name not in known and name != "all"]:
        raise NotFound(f"the library has no template {unknown[0]}", hint=", ".join(known))
    return list(known.items()) if "all" in names else [(name, known[name]) for name in names]


def _apply(client: Client, name: str, definition: dict[str, Any]) -> dict[str, Any]:
    from urllib.parse import quote

    path = f"/templates/{quote(name, safe='')}"
    try:
        before = client.get(path)["version"]
    except NotFound:
        before = 0
    found: dict[str, Any] = client.send("PUT", path, {"definition": definition})
    result = "unchanged" if found["version"] == before else "changed" if before else "made"
    return {**found, "result": result}


@app.command()
def export(
    names: Annotated[list[str] | None, typer.Argument(help="Names; all when left out.", show_default=False)] = None,
    directory: Annotated[
        Path | None, typer.Option("--to", help="Directory for a file each; without it, one goes to the output.")
    ] = None,
) -> None:
    """Write templates as files of YAML, as `apply` takes them. Example: qd templates export --to templates/"""
    from quarterdeck.core.yamls import written

    with Client() as client:
        wanted = names or [row["name"] for row in client.rows("/templates")]
        if directory is None and len(wanted) != 1:
            raise BadInput(f"these are {len(wanted)} templates", hint="name one, or a directory with --to")
        for name in wanted:
            text = written({"name": name, **client.get(f"/templates/{name}")["definition"]})
            if directory is None:
                write(text)
            else:
                directory.mkdir(parents=True, exist_ok=True)
                (directory / f"{name}.yaml").write_text(text, encoding="utf-8")


@app.command()
def delete(name: NameArgument) -> None:
    """Delete a template; its runs stay. Example: qd templates delete restart-service"""
    with Client() as client:
        client.send("DELETE", f"/templates/{name}")


@app.command()
def run(
    name: NameArgument,
    answers: SetOption = None,
    query: Annotated[
        str, typer.Option("--query", "-q", help="Hosts; narrows the template's own query where it has one.")
    ] = "",
    check: Annotated[bool, typer.Option("--check", help="Only tell what would change, where the runner can.")] = False,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the audit log.")] = "",
    detach: Annotated[bool, typer.Option("--detach", help="Do not wait; print the run.")] = False,
    output: OutputOption = Format.TABLE,
) -> None:
    """Start a template and watch it; the exit code is that of `qd run`.

    Example: qd templates run restart-service -q role:web --set service=nginx
    """
    body = {"values": values_of(answers), "query": query, "is_check": check, "reason": reason}
    with Client() as client:
        started = client.send("POST", f"/templates/{name}/run", body)
        if detach:
            write_rows([started], output, ("id", "state", "title"))
        else:
            watch(client, started, output)


def values_of(pairs: list[str] | None) -> dict[str, str]:
    """Return the answers of `name=value` pairs. A value that begins with @ is a file's content."""
    found: dict[str, str] = {}
    for pair in pairs or []:
        name, sign, value = pair.partition("=")
        if not sign or not name.strip():
            raise BadInput(f'"{pair}" is no answer', hint="--set service=nginx")
        if value.startswith("@"):
            value = Path(value[1:]).read_text(encoding="utf-8")
        found[name.strip()] = value
    return found
