"""quarterdeck doctor: what is wrong with an instance, and the next step for each finding."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import sqlite3
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from quarterdeck.cli import instance
from quarterdeck.core.errors import OpsError
from quarterdeck.core.processes import run_file
from quarterdeck.core.serving import split_address, url_of

app = typer.Typer()
EXIT_FINDINGS = 1
_PROBE_SECONDS = 3.0
_LOW_DISK_BYTES = 1 << 30
_OLDEST_SQLITE = (3, 35, 0)
_DEFAULT_PORTS = {"http": 80, "https": 443, "postgresql": 5432, "postgres": 5432, "redis": 6379, "rediss": 6379}
_BROKER_PORTS = {"amqp": 5672, "pyamqp": 5672, "amqps": 5671}


@dataclass(frozen=True, slots=True)
class Finding:
    """`state` is "ok", "warning" or "error"; `hint` is the next step."""

    check: str
    state: str
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an address said: its status and its JSON object, {} for anything else."""

    status: int
    body: dict[str, Any]


def fetch(url: str) -> Answer | None:
    """Return what a GET of `url` answers, None when nobody does."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    client = kind(parts.hostname or "", parts.port, timeout=_PROBE_SECONDS)
    try:
        # The pages are asked under a name that is always allowed, whatever address they listen on.
        client.request("GET", parts.path or "/", headers={"Host": "localhost"})
        answer = client.getresponse()
        content = answer.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        client.close()
    try:
        body = json.loads(content)
    except ValueError:
        body = {}
    return Answer(answer.status, body if isinstance(body, dict) else {})


@app.command()
def doctor(
    data: instance.DataOption = None,
    output: Annotated[str, typer.Option("--output", "-o", help="table or json.")] = "table",
) -> None:
    """Check versions, settings, directory, disk, ports and every address. Exit code 1 when something is wrong."""
    findings = list(_examine(data))
    if output == "json":
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2, ensure_ascii=False))
    else:
        typer.echo("\n".join(_line(finding) for finding in findings))
    raise typer.Exit(EXIT_FINDINGS if any(finding.state == "error" for finding in findings) else 0)


def _line(finding: Finding) -> str:
    line = f"{finding.state:<8} {finding.check:<12} {finding.message}"
    return f"{line}\n{'':<22}hint: {finding.hint}" if finding.hint else line


def _examine(data: Path | None) -> Iterator[Finding]:
    yield from _versions()
    try:
        directory = instance.choose(data)
        from quarterdeck.conf.options import load

        settings = {name: setting.value for name, setting in load().items()}
    except OpsError as error:
        # Everything else depends on them.
        yield Finding("settings", "error", error.message, error.hint)
        return
    yield from _names()
    checks: list[Callable[[Path, dict[str, Any]], Iterator[Finding]]] = [
        _directory,
        _disk,
        _records,
        _processes,
        _ports,
        _servers,
    ]
    for check in checks:
        yield from check(directory, settings)


def _versions() -> Iterator[Finding]:
    versions = f"Quarterdeck {version('quarterdeck')}, Python {sys.version.split()[0]}, SQLite {sqlite3.sqlite_version}"
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        yield Finding("versions", "error", versions, "SQLite 3.35 or newer is needed; use a newer Python build")
    else:
        yield Finding("versions", "ok", versions)


def _names() -> Iterator[Finding]:
    from quarterdeck.conf.options import unknown_names

    for name, near in unknown_names().items():
        yield Finding("settings", "warning", f"nothing reads {name}", near or "see docs/reference/settings.md")
    yield Finding("settings", "ok", "every value can be used")


def _directory(directory: Path, settings: dict[str, Any]) -> Iterator[Finding]:
    if not directory.is_dir():
        yield Finding("directory", "warning", f"{directory} does not exist yet", "`quarterdeck up` makes it")
        return
    try:
        instance.prepare_directory(directory)
    except OpsError as error:
        yield Finding("directory", "error", error.message, error.hint)
    else:
        yield Finding("directory", "ok", f"{directory} can be written")
    yield from _permissions(directory)


def _permissions(directory: Path) -> Iterator[Finding]:
    """Keys are for the instance's user alone."""
    secrets = directory / "secrets"
    for path in [secrets, *(sorted(secrets.iterdir()) if secrets.is_dir() else [])]:
        if path.exists() and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            yield Finding("permissions", "error", f"others may read {path}", f"chmod go= {path}")


def _disk(directory: Path, settings: dict[str, Any]) -> Iterator[Finding]:
    place = next(parent for parent in (directory, *directory.parents) if parent.exists())
    usage = shutil.disk_usage(place)
    # As `df` counts: what root keeps for itself is neither used nor free.
    percent = 100 * usage.used / max(1, usage.used + usage.free)
    text = f"{usage.free / 1e9:.1f} GB free, {percent:.0f} % used"
    if usage.free < _LOW_DISK_BYTES:
        yield Finding("disk", "error", text, f"free space on the disk of {place}; 1 GB is the least to work with")
    elif percent >= settings["disk_guard_percent"]:
        hint = f"free space: from {settings['disk_guard_percent']} % on the oldest telemetry is dropped"
        yield Finding("disk", "warning", text, hint)
    else:
        yield Finding("disk", "ok", text)


def _records(directory: Path, settings: dict[str, Any]) -> Iterator[Finding]:
    path = directory / "records.sqlite3"
    if settings["database_url"] or not path.exists():
        return
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        result = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.DatabaseError as error:
        result = str(error)
    finally:
        connection.close()
    if result == "ok":
        yield Finding("records", "ok", f"{path.name} is sound")
    else:
        yield Finding("records", "error", f"{path} is damaged: {result}", "restore a backup into a new directory")


def _processes(directory: Path, settings: dict[str, Any]) -> Iterator[Finding]:
    from quarterdeck.cli.status import look

    found = look(directory)
    if not found["processes"]:
        yield Finding("processes", "warning", "Quarterdeck is not running", f"quarterdeck up --data {directory}")
        return
    for name, process in found["processes"].items():
        if process.get("status") == "ready":
            yield Finding(name, "ok", "serves")
        else:
            reason = process.get("reason") or "does not answer"
            yield Finding(name, "error", reason, f"read {directory}/log/{name}.log; it is restarted by itself")


def _ports(directory: Path, settings: dict[str, Any]) -> Iterator[Finding]:
    """While nothing runs, whether the listeners could start."""
    if run_file(directory, "supervisor"):
        return
    for name in ("listen", "intake_http"):
        host, port = split_address(settings[name])
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                hint = f"stop what has it, or choose another with QD_{name.upper()}"
                yield Finding("ports", "error", f"{settings[name]} cannot be used: {error.strerror}", hint)
            else:
                yield Finding("ports", "ok", f"{settings[name]} is free")


def _servers(directory: Path, settings: dict[str, Any]) -> Iterator[Finding]:
    """Whether each server that a setting names can be reached. Passwords in the URLs are not shown."""
    ports = {**_DEFAULT_PORTS, **_BROKER_PORTS}
    for name in ("database_url", "broker_url", "clickhouse_url", "oidc_issuer"):
        parts = urlsplit(settings[name])
        if not settings[name] or not parts.hostname:
            continue
        port = parts.port or ports.get(parts.scheme, 443)
        try:
            socket.create_connection((parts.hostname, port), timeout=_PROBE_SECONDS).close()
        except OSError as error:
            reason = error.strerror or str(error)
            hint = f"start that server, or correct QD_{name.upper()}"
            yield Finding(name, "error", f"{parts.hostname}:{port} cannot be reached: {reason}", hint)
        else:
            yield Finding(name, "ok", f"{parts.hostname}:{port} can be reached")
    public = settings["public_url"]
    if public:
        answer = fetch(f"{public.rstrip('/')}/healthz")
        if answer and answer.status == 200:
            yield Finding("public_url", "ok", f"{public} leads here")
        else:
            listen = url_of(settings["listen"])
            yield Finding("public_url", "warning", f"{public} does not answer", f"let your proxy pass it to {listen}")
