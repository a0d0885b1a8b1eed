"""Writes docs/reference/cli.md from the commands themselves. `--check` only tells whether it is up to date."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parents[1] / "reference" / "cli.md"
_HEAD = """# Commands

<!-- Made from the code by docs/bin/reference_cli.py; do not edit. -->

`quarterdeck` and `qd` are the same program. Commands that read and change the inventory talk to a running instance:
`QD_URL` names it and `QD_TOKEN` is the key. The others work on a data directory, `--data DIR` or `QD_DATA`.
`qd --install-completion` teaches the shell to complete commands. `NO_COLOR` switches colours off.

## Exit codes

| code | meaning |
|---|---|
"""


def _exit_codes() -> Iterator[str]:
    from quarterdeck.cli.client import NotConfigured
    from quarterdeck.core import errors

    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.OpsError)]
    by_code: dict[int, list[str]] = {0: ["done"], 2: ["wrong usage"], 70: ["a bug in Quarterdeck"], 130: ["Ctrl-C"]}
    for kind in [*kinds, NotConfigured]:
        by_code.setdefault(kind.exit_code, []).append(kind.code.replace("_", " "))
    for code, names in sorted(by_code.items()):
        yield f"| {code} | {', '.join(names)} |"


def _parameters(command: Any, context: Any) -> Iterator[str]:
    for parameter in command.params:
        record = parameter.get_help_record(context)
        if record is None or "--help" in parameter.opts:
            continue
        name, text = record
        yield f"- `{name}`" + (f": {' '.join(text.split())}" if text else "")


def _command(command: Any, path: str, parent: Any) -> Iterator[str]:
    import click

    context = click.Context(command, info_name=path.split()[-1], parent=parent)
    yield from _described(command, path, context)
    for name in command.list_commands(context) if hasattr(command, "list_commands") else []:
        child = command.get_command(context, name)
        if child is not None and not child.hidden:
            yield from _command(child, f"{path} {name}", context)


def _described(command: Any, path: str, context: Any) -> Iterator[str]:
    level = "##" if path.count(" ") == 1 else "###"
    if " " in path:
        usage = " ".join(command.collect_usage_pieces(context))
        yield f"{level} {path}\n\n{inspect.cleandoc(command.help or '')}\n\n    {path} {usage}\n"
        parameters = list(_parameters(command, context))
        if parameters:
            yield "\n".join(parameters) + "\n"


def render() -> str:
    """Return the whole page. Widths and paths of this machine do not show in it."""
    os.environ["TYPER_USE_RICH"] = "0"
    import typer

    from quarterdeck.cli.main import app

    root = typer.main.get_command(app)
    return _HEAD + "\n".join(_exit_codes()) + "\n\n" + "\n".join(_command(root, "qd", None)).rstrip() + "\n"


def main() -> int:
    text = render()
    if "--check" in sys.argv:
        same = TARGET.is_file() and TARGET.read_text(encoding="utf-8") == text
        print(f"{TARGET.name} " + ("is up to date" if same else "differs; run docs/bin/reference_cli.py"))  # noqa: T201
        return 0 if same else 1
    TARGET.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
