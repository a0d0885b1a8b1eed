"""quarterdeck up: all processes of an instance on this machine, supervised.

This process imports neither Django nor the database: it has to live on when they do not.
"""

from __future__ import annotations

import asyncio
import fcntl
import http.client
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from quarterdeck.cli import instance
from quarterdeck.core.errors import BadInput, Conflict
from quarterdeck.core.processes import remove_run_file, run_file, write_run_file
from quarterdeck.core.serving import listen as listen_on
from quarterdeck.core.serving import split_address, url_of
from quarterdeck.core.supervisor import Child, Program, Supervisor, ending

app = typer.Typer()
_POLL_SECONDS = 0.2
# The allocator's default of one arena per core and thread keeps freed memory; two are enough for processes like these.
_ENVIRONMENT = {"MALLOC_ARENA_MAX": "2", "PYTHONUNBUFFERED": "1"}


@app.command()
def up(
    data: instance.DataOption = None,
    listen: Annotated[str, typer.Option("--listen", help="HOST:PORT to serve on.", show_default=False)] = "",
) -> None:
    """Start Quarterdeck on this machine and keep it running until Ctrl-C."""
    if listen:
        os.environ["QD_LISTEN"] = listen
    directory = instance.choose(data)
    instance.prepare_directory(directory)
    with _only_one(directory):
        from quarterdeck.conf.process import begin

        settings = {name: setting.value for name, setting in begin("supervisor", directory).items()}
        _check_ports(settings)
        _supervise(directory, settings)


@contextmanager
def _only_one(directory: Path) -> Iterator[None]:
    """Hold the instance's lock; the kernel frees it with this process, however it ends."""
    with (directory / "run" / "supervisor.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            other = run_file(directory, "supervisor")
            raise Conflict(
                f"Quarterdeck already runs on {directory} (process {other.get('pid', 'unknown')}, "
                f"{other.get('address', 'address unknown')})",
                hint="stop it first, or choose another data directory with --data DIR",
            ) from error
        yield


def _check_ports(settings: dict[str, Any]) -> None:
    """Say that an address is taken before anything starts."""
    if settings["listen"] == settings["intake_http"]:
        raise BadInput(f"the pages and the intake both want {settings['listen']}", hint="move one: QD_INTAKE_HTTP")
    listen_on(settings["listen"], "--listen HOST:PORT").close()
    listen_on(settings["intake_http"], "QD_INTAKE_HTTP=HOST:PORT").close()


def _programs(settings: dict[str, Any]) -> list[Program]:
    names = ["web", "worker", "intake"]
    if not settings["clickhouse_url"]:
        names.insert(0, "engine")
    command = [sys.executable, "-m", "quarterdeck"]
    return [Program(name, [*command, name], _ENVIRONMENT) for name in names]


def _supervise(directory: Path, settings: dict[str, Any]) -> None:
    address = url_of(settings["listen"])

    def remember(children: list[Child]) -> None:
        state = {
            child.program.name: {"pid": child.pid, "restarts": child.restarts, "started_at": child.started_at}
            for child in children
        }
        write_run_file(directory, "supervisor", address=address, processes=state)

    remember([])
    _clear_run_files(directory)
    asyncio.run(_run(directory, settings, remember))


def _clear_run_files(directory: Path) -> None:
    """What a killed predecessor left says nothing about the processes that start now."""
    for name in ("web", "worker", "runs", "intake", "engine", "set-up"):
        (directory / "run" / f"{name}.json").unlink(missing_ok=True)


async def _run(directory: Path, settings: dict[str, Any], remember: Any) -> None:
    supervisor = Supervisor(_programs(settings), directory / "log", _say, remember)
    _say(f"starting on {directory}")
    try:
        await supervisor.run(lambda: _tell_when_ready(directory, settings))
    finally:
        remove_run_file(directory, "supervisor")
    if supervisor.failure:
        child, code = supervisor.failure
        _say(f"{child.program.name} cannot start ({ending(code)})")
        # The process said why, and what to do, in the words of its own error.
        typer.echo(supervisor.last_words(child), err=True)
        raise typer.Exit(code)
    _say("stopped")


async def _tell_when_ready(directory: Path, settings: dict[str, Any]) -> None:
    address = url_of(settings["listen"])
    while not await asyncio.to_thread(_is_ready, settings["listen"]):
        await asyncio.sleep(_POLL_SECONDS)
    _say(f"ready: {settings['public_url'] or address}")
    _notify_systemd()
    link = run_file(directory, "set-up").get("link")
    if link:
        (directory / "run" / "set-up.json").unlink(missing_ok=True)
        _say(f"first start: make yourself an account with this link, which works once:\n\n    {link}\n")


def _is_ready(listen: str) -> bool:
    host, port = split_address(listen)
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    client = http.client.HTTPConnection(host, port, timeout=5)
    try:
        client.request("GET", "/readyz", headers={"Host": "localhost"})
        return client.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        client.close()


def _notify_systemd() -> None:
    """Tell systemd that the service is up. See https://www.freedesktop.org/software/systemd/man/sd_notify.html"""
    path = os.environ.get("NOTIFY_SOCKET")
    if path:
        import socket

        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            client.connect("\0" + path[1:] if path.startswith("@") else path)
            client.sendall(b"READY=1")


def _say(sentence: str) -> None:
    typer.echo(f"quarterdeck: {sentence}")
