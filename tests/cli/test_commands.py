"""Every command helps, shows an example, and the command line starts without Django."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import typer

from quarterdeck.cli.main import app

MINE = ("api", "audit", "chart", "dashboards", "drift", "items", "search", "token", "types", "views")
QD = str(Path(sys.executable).with_name("qd"))


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    context = click.Context(command)
    if not hasattr(command, "list_commands"):
        yield path, command
        return
    for name in command.list_commands(context):
        yield from commands(command.get_command(context, name), (*path, name))


OURS = [(path, command) for path, command in commands(typer.main.get_command(app)) if path[0] in MINE]


def run(*args: str, **environ: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("QD_")}
    return subprocess.run([QD, *args], env={**clean, **environ}, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("path", "command"), OURS, ids=[" ".join(path) for path, _command in OURS])
def test_every_command_says_what_it_does_with_an_example(path: tuple[str, ...], command: Any) -> None:
    help_text = " ".join((command.help or "").split())
    assert "Example:" in help_text
    assert " ".join(path) in help_text.partition("Example:")[2]


@pytest.mark.parametrize("path", [path for path, _command in OURS], ids=" ".join)
def test_every_command_answers_help(path: tuple[str, ...]) -> None:
    from typer.testing import CliRunner

    result = CliRunner().invoke(app, [*path, "--help"])
    assert result.exit_code == 0, result.output
    assert "Usage:" in result.output


@pytest.mark.slow
def test_it_says_what_to_do_when_nothing_is_configured() -> None:
    done = run("items", "list")
    assert (done.returncode, done.stdout) == (78, "")
    assert "QD_URL is not set\nhint: export QD_URL=" in done.stderr


@pytest.mark.slow
def test_it_says_that_nobody_answers() -> None:
    done = run("items", "list", QD_URL="http://127.0.0.1:1", QD_TOKEN="x")
    assert done.returncode == 69
    assert "does not answer" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_it_rejects_an_unknown_format_with_the_allowed_ones() -> None:
    done = run("items", "list", "-o", "xml", QD_URL="http://127.0.0.1:1", QD_TOKEN="x")
    assert done.returncode == 2
    assert "table" in done.stderr


@pytest.mark.slow
def test_it_completes_commands_in_bash() -> None:
    done = run("items", _QD_COMPLETE="complete_bash", COMP_WORDS="qd items ex", COMP_CWORD="2")
    assert done.stdout.split() == ["export"]


@pytest.mark.slow
def test_commands_over_http_never_load_django() -> None:
    code = "import sys; from quarterdeck.cli.main import app; app(['items', 'list'], standalone_mode=False)\n"
    code = f"try:\n  {code}except Exception as error:\n  print(type(error).__name__, 'django' in sys.modules)"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("QD_")}
    done = subprocess.run([sys.executable, "-c", code], env=clean, check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["NotConfigured", "False"]
