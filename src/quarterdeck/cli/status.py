"""quarterdeck status: what runs on a data directory."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from quarterdeck.cli import instance
from quarterdeck.cli.doctor import fetch
from quarterdeck.core.processes import run_file
from quarterdeck.core.serving import url_of

app = typer.Typer()
EXIT_NOT_READY = 69


@app.command()
def status(
    data: instance.DataOption = None,
    output: Annotated[str, typer.Option("--output", "-o", help="table or json.")] = "table",
) -> None:
    """Tell which processes run and serve. Exit code 0 when all do, 69 when not."""
    directory = instance.choose(data)
    found = look(directory)
    typer.echo(json.dumps(found, indent=2) if output == "json" else _table(found))
    raise typer.Exit(0 if found["status"] == "ready" else EXIT_NOT_READY)


def look(directory: Path) -> dict[str, Any]:
    """Return `{"status", "data", "address", "processes": {"web": {"pid", "restarts", "status", "reason"}}}`."""
    from quarterdeck.conf.options import load

    supervisor = run_file(directory, "supervisor")
    if not is_alive(supervisor.get("pid", 0)):
        supervisor = {}
    address = supervisor.get("address") or url_of(load()["listen"].value)
    answer = fetch(f"{address}/readyz") if supervisor else None
    body = answer.body if answer else {}
    states = body.get("processes", {})
    kept = supervisor.get("processes", {})
    processes = {name: {**kept.get(name, {}), **states.get(name, {})} for name in sorted({*kept, *states})}
    overall = body.get("status") or ("starting" if supervisor else "not running")
    return {"status": overall, "data": str(directory), "address": address, "processes": processes}


def is_alive(pid: int) -> bool:
    if not pid:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _table(found: dict[str, Any]) -> str:
    lines = [f"{found['status']}  {found['address']}  {found['data']}"]
    for name, process in found["processes"].items():
        since = process.get("started_at")
        up = f"up {_duration(time.time() - since)}" if since and process.get("pid") else ""
        restarts = f"{process['restarts']} restarts" if process.get("restarts") else ""
        pid = str(process.get("pid") or "-")
        cells = f"  {name:<8} {process.get('status', 'unknown'):<10} {pid:>8}  {up:<12} {restarts}"
        lines.append(f"{cells}  {process.get('reason', '')}".rstrip())
    return "\n".join(lines)


def _duration(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
