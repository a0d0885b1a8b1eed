"""The command line's root: finds the command groups, and turns errors into sentences and exit codes.

Every module of this package that exports `app = typer.Typer()` is a command or a group of the module's name. It is
imported only when it is asked for: `qd items list` never pays for Django.
"""

from __future__ import annotations

import importlib
import logging
import os
import pkgutil
import sys
import traceback
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

# Typer's boxes are drawn with rich, which costs 0.1 s at each start and does not read well in a pipe.
os.environ.setdefault("TYPER_USE_RICH", "0")

import typer
from typer.core import TyperGroup

from quarterdeck.core.errors import OpsError, Unavailable

# Commands without a log of their own keep tracebacks to themselves.
logging.getLogger("quarterdeck.bug").addHandler(logging.NullHandler())
EXIT_BUG = 70
EXIT_INTERRUPTED = 130
_COMPLETION_OPTIONS = {"install_completion", "show_completion"}


@cache
def _module_names() -> dict[str, str]:
    """Return `{"command-name": "module_name"}` for every module that may hold a command."""
    package = Path(__file__).parent
    names = (module.name for module in pkgutil.iter_modules([str(package)]))
    return {name.replace("_", "-"): name for name in names if name not in ("main", "instance")}


@cache
def _load(name: str) -> Any | None:
    """Return the command `name`, or None when no module exports one under that name."""
    if name not in _module_names():
        return None
    module = importlib.import_module(f"quarterdeck.cli.{_module_names()[name]}")
    app = getattr(module, "app", None)
    if not isinstance(app, typer.Typer):
        return None
    command = typer.main.get_command(app)
    command.name = name
    # Completion is installed once, for the whole command line.
    command.params = [param for param in command.params if param.name not in _COMPLETION_OPTIONS]
    return command


class _Commands(TyperGroup):
    """The root group: its commands are modules, loaded when they are named."""

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(name for name in _module_names() if _load(name) is not None)

    def get_command(self, ctx: Any, cmd_name: str) -> Any | None:
        return _load(cmd_name)


app = typer.Typer(cls=_Commands, no_args_is_help=True, help="Operate a fleet from one inventory.")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"quarterdeck {version('quarterdeck')}")
        raise typer.Exit


@app.callback()
def _root(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Operate a fleet from one inventory. `quarterdeck up` starts everything on this machine."""


def _say(message: str, hint: str = "") -> None:
    """Write an error, and the next step below it, to stderr; red only on a terminal that wants colours."""
    colour = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    head = typer.style("error:", fg="red", bold=True) if colour else "error:"
    print(f"{head} {message}", file=sys.stderr)  # noqa: T201 - the command line's own output
    if hint:
        print(f"hint: {hint}", file=sys.stderr)  # noqa: T201


def _say_bug(error: Exception) -> None:
    """Tell that the fault is ours. The traceback is for us: a process's log has it, a person sees it on demand."""
    logging.getLogger("quarterdeck.bug").critical("%s", error, exc_info=error)
    if os.environ.get("QD_LOG_LEVEL", "").lower() == "debug":
        traceback.print_exc()
    _say(f"BUG: {type(error).__name__}: {error}", hint="QD_LOG_LEVEL=debug shows the details to report")


def _from_os(error: OSError) -> OpsError:
    """What the operating system refused, as a sentence."""
    name = f"{error.filename}: " if error.filename else ""
    return Unavailable(f"{name}{error.strerror or error}", hint="`quarterdeck doctor` checks disk and permissions")


def run() -> None:
    """The entry point of `quarterdeck` and `qd`. Ends the process; a person never sees a traceback."""
    try:
        app(prog_name=Path(sys.argv[0]).name)
    except OpsError as error:
        _say(error.message, error.hint)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        # The reader (`| head`) has gone: keep the interpreter from complaining about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        said = _from_os(error)
        _say(said.message, said.hint)
        sys.exit(said.exit_code)
    except Exception as error:
        _say_bug(error)
        sys.exit(EXIT_BUG)
