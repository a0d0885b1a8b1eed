"""qd playbook: an Ansible playbook on the hosts of a query; the inventory is ours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from quarterdeck.cli.client import Client
from quarterdeck.cli.output import Format, OutputOption
from quarterdeck.cli.running import Ways, ways_of, work_off
from quarterdeck.core.errors import BadInput, NotFound

app = typer.Typer()
# What Ansible looks for beside a playbook.
_BESIDE = (
    "ansible.cfg", "group_vars", "host_vars", "roles", "collections", "tasks", "handlers", "vars", "vars_files",
    "templates", "files", "library", "module_utils", "filter_plugins", "lookup_plugins", "action_plugins", "playbooks",
)  # fmt: skip
_NEVER = frozenset({".git", ".svn", ".hg", "__pycache__", ".venv", "node_modules"})
_MAX_BYTES = 1 << 20

VariablesOption = Annotated[
    list[str] | None,
    typer.Option("--extra-vars", "-e", help="Variables: version=1.2, '{\"ports\": [80]}' or @vars.yml; repeatable."),
]
DiffOption = Annotated[bool, typer.Option("--diff", help="Show what changes in files.")]
ForksOption = Annotated[int | None, typer.Option("--forks", min=1, help="Hosts at the same time in one process.")]


@app.command()
@ways_of
def playbook(
    ways: Ways,
    file: Annotated[Path, typer.Argument(help="Playbook.", show_default=False)],
    project: Annotated[
        Path | None,
        typer.Option(
            "--project", help="Directory to take along whole; else what Ansible looks for beside the playbook."
        ),
    ] = None,
    variables: VariablesOption = None,
    diff: DiffOption = False,
    tags: Annotated[list[str] | None, typer.Option("--tags", "-t", help="Only what has these tags.")] = None,
    skip_tags: Annotated[list[str] | None, typer.Option("--skip-tags", help="Not what has these tags.")] = None,
    forks: ForksOption = None,
    output: OutputOption = Format.TABLE,
) -> None:
    """Play an Ansible playbook on the hosts of a query, and watch it.

    It plays on these hosts only, whatever its `hosts` say beside. Exit codes are those of `qd run`.

    Example: qd playbook site.yml -q 'env:lab role:web' --check --diff
    """
    base = project or file.parent
    name = _name(file, base)
    files = dict(_files(base, None if project else _BESIDE))
    files.pop(name, None)
    work: dict[str, Any] = {"playbook": _text(file), "name": name, "files": files}
    work |= options(variables, diff=diff, forks=forks)
    work |= {key: words for key, words in (("tags", _words(tags)), ("skip_tags", _words(skip_tags))) if words}
    with Client() as client:
        work_off(client, "ansible", work, ways, output)


def options(variables: list[str] | None, *, diff: bool, forks: int | None) -> dict[str, Any]:
    """Return what playbooks and modules have in common. Raises BadInput."""
    merged: dict[str, Any] = {}
    for text in variables or ():
        merged |= _variables(text)
    found = {"variables": merged, "shows_diff": diff, "forks": forks}
    return {name: value for name, value in found.items() if value}


def _variables(text: str) -> dict[str, Any]:
    """Return the variables of one `-e`, as ansible-playbook reads it."""
    if text.startswith("@"):
        return _map(_text(Path(text[1:])), text[1:])
    if text.lstrip().startswith("{"):
        return _map(text, "-e")
    name, equals, value = text.partition("=")
    if not equals:
        raise BadInput(f'"{text}" is not NAME=value', hint="-e version=1.2")
    return {name.strip(): value}


def _map(text: str, where: str) -> dict[str, Any]:
    import yaml

    try:
        found = yaml.safe_load(text)
        # What is stored is JSON: a date has no place there.
        json.dumps(found)
    except (yaml.YAMLError, TypeError) as error:
        raise BadInput(f"{where} is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(found, dict):
        raise BadInput(f"{where} holds no map of variables", hint="version: 1.2")
    return found


def _words(given: list[str] | None) -> list[str]:
    return [word.strip() for text in given or () for word in text.split(",") if word.strip()]


def _name(file: Path, base: Path) -> str:
    if not file.is_file():
        raise NotFound(f"{file} is no file")
    try:
        return file.resolve().relative_to(base.resolve()).as_posix()
    except ValueError:
        raise BadInput(f"{file} is not below {base}", hint="--project names the directory that holds it") from None


def _files(base: Path, names: tuple[str, ...] | None) -> Iterator[tuple[str, str]]:
    """Yield the path and text of each file below `base`, or below what is named there."""
    if not base.is_dir():
        raise NotFound(f"{base} is no directory")
    size = 0
    for top in sorted(base.iterdir()) if names is None else [base / name for name in names]:
        for path in sorted(_below(top)):
            text = _text(path)
            size += len(text)
            if size > _MAX_BYTES:
                raise BadInput(
                    f"what is to be taken along is longer than {_MAX_BYTES >> 10} KB",
                    hint="name a smaller --project, or push large files with `qd push`",
                )
            yield path.relative_to(base).as_posix(), text


def _below(top: Path) -> Iterator[Path]:
    if top.is_file():
        yield top
    elif top.is_dir() and top.name not in _NEVER:
        for path in top.iterdir():
            yield from _below(path)


def _text(path: Path) -> str:
    if not path.is_file():
        raise NotFound(f"{path} is no file")
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is no text in UTF-8", hint="push it with `qd push` before") from error
