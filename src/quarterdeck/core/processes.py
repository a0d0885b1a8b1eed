"""What processes of one instance tell each other: a small file in `DATA/run` with the process id and the address.

    DATA/run/engine.json    {"pid": 4711, "address": "http://127.0.0.1:40123", ...}

The file's age is the process's last sign of life where the process renews it (the worker does, every 2 s).
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1


def write_run_file(data: Path, name: str, **facts: Any) -> Path:
    """Write `DATA/run/<name>.json` with this process's id and `facts`; a reader sees the old file or the new one."""
    path = data / "run" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f".{name}.{os.getpid()}")
    try:
        fresh.write_text(json.dumps({"pid": os.getpid(), **facts}), encoding="utf-8")
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
    return path


def run_file(data: Path, name: str) -> dict[str, Any]:
    """Return what the process `name` wrote last, {} when it never did."""
    try:
        content = json.loads((data / "run" / f"{name}.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return content if isinstance(content, dict) else {}


def remove_run_file(data: Path, name: str) -> None:
    """Remove this process's file; another's, written since, stays."""
    if run_file(data, name).get("pid") == os.getpid():
        (data / "run" / f"{name}.json").unlink(missing_ok=True)


def heartbeat_age_seconds(data: Path, name: str) -> float | None:
    """Return how long ago the process `name` renewed its file, None when there is none."""
    try:
        return max(0.0, time.time() - (data / "run" / f"{name}.json").stat().st_mtime)
    except FileNotFoundError:
        return None


def die_with_parent(parent: int, kind: signal.Signals = signal.SIGTERM) -> None:
    """Send `kind` to this process when process `parent` ends, however it ends (SIGKILL too).

    On Linux the kernel does it (see `man 2 prctl`, PR_SET_PDEATHSIG); elsewhere a thread looks once a second.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(kind))
    else:
        threading.Thread(target=_watch_parent, args=(parent, kind), daemon=True).start()
    if os.getppid() != parent:
        # It ended before the kernel was told.
        os.kill(os.getpid(), kind)


def _watch_parent(parent: int, kind: signal.Signals) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), kind)
