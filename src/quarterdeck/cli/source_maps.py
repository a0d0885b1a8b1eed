"""qd source-maps: what a build made, so that errors of minified JavaScript are shown as in the source."""

from __future__ import annotations

import zipfile
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Annotated

import typer

from quarterdeck.cli.client import Client
from quarterdeck.cli.output import ColumnsOption, Format, OutputOption, columns_of, note, write_rows
from quarterdeck.core.errors import BadInput

app = typer.Typer(no_args_is_help=True, help="Source maps of minified JavaScript: upload, list, delete.")
_COLUMNS = ("id", "project", "release", "dist", "files", "size_bytes", "created_at", "created_by", "used_at")
_ENDINGS = frozenset({".js", ".mjs", ".cjs", ".map", ".jsbundle", ".bundle"})


@app.command()
def upload(
    path: Annotated[Path, typer.Argument(exists=True, help="The directory that the build made, or a ZIP.")],
    project: Annotated[int, typer.Option("--project", help="The number at the end of the DSN.")],
    release: Annotated[str, typer.Option("--release", help="The release that the SDK names.")] = "",
    dist: Annotated[str, typer.Option("--dist", help="The distribution that the SDK names.")] = "",
    prefix: Annotated[str, typer.Option("--url-prefix", help="Address of the directory; ~ is any host.")] = "~/",
) -> None:
    """Upload programs and their maps. Example: qd source-maps upload dist --project 42 --release shop@1.2"""
    fields = {"project": str(project), "release": release, "dist": dist, "prefix": prefix.rstrip("/") + "/"}
    with TemporaryFile() as packed, Client() as client:
        file: IO[bytes] = path.open("rb") if path.is_file() else _packed(path, packed)
        found = client.upload("/errors/artifacts", f"{path.name}.zip", file, fields)  # type: ignore[arg-type]
    note(f"upload {found['id']} has {found['files']} files")


def _packed(directory: Path, file: IO[bytes]) -> IO[bytes]:
    """Write the programs and maps of a directory into `file` as a ZIP. Raises BadInput for none."""
    found = sorted(path for path in directory.rglob("*") if path.suffix in _ENDINGS and path.is_file())
    if not found:
        raise BadInput(f"{directory} has no JavaScript and no source map", hint="name the directory of the build")
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in found:
            archive.write(path, path.relative_to(directory).as_posix())
    file.seek(0)
    return file


@app.command("list")
def list_(
    release: Annotated[str, typer.Option("--release", help="Only those of this release.")] = "",
    debug_id: Annotated[str, typer.Option("--debug-id", help="Only those with a file that has it.")] = "",
    columns: ColumnsOption = "",
    output: OutputOption = Format.TABLE,
) -> None:
    """List uploads, the newest first. Example: qd source-maps list --release shop@1.2"""
    with Client() as client:
        found = client.get("/errors/artifacts", {"release": release, "debug_id": debug_id})["items"]
    write_rows(found, output, columns_of(columns, _COLUMNS))


@app.command()
def delete(upload: Annotated[int, typer.Argument(help="The number of the upload.")]) -> None:
    """Delete an upload with its files. Example: qd source-maps delete 7"""
    with Client() as client:
        client.send("DELETE", f"/errors/artifacts/{upload}")
    note(f"upload {upload} is deleted")
