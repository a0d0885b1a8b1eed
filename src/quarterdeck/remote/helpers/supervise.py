"""Run one command and everything that it starts, and leave nothing behind.

    python -I -S supervise.py FD

FD is a socket: on it comes the order as one line of JSON, on it goes the result as one line of JSON. When the other
side closes it, or dies, everything ends: SIGTERM, and after `grace_seconds` SIGKILL. What the command started is found
also where it went into a session of its own, because orphans come to this process (PR_SET_CHILD_SUBREAPER).

    order   {"argv", "environment", "directory", "limits": [[number, soft, hard]], "groups", "gid", "uid",
             "grace_seconds"}
    result  {"code": 3} | {"signal": 9} | {"error": "...", "step": "directory"}
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import sys
import time
from pathlib import Path
from typing import Any

# See prctl(2).
_PDEATHSIG, _SUBREAPER = 1, 36
_POLL_SECONDS = 0.02
# Loaded before any limit binds.
_LIBC = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    control = int(sys.argv[1])
    os.set_inheritable(control, False)
    order = json.loads(_line(control))
    _prctl(_SUBREAPER, 1)
    wake, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waker)
    trouble, troubled = os.pipe()
    pid = os.fork()
    if pid == 0:
        _become_command(order, troubled)
    os.close(troubled)
    for number in (0, 1, 2):
        # Held open here, the output would not end with the command.
        os.close(number)
    result = _wait(pid, control, wake)
    if said := os.read(trouble, 4096):
        result = json.loads(said)
    _end_all(float(order["grace_seconds"]))
    with contextlib.suppress(OSError):
        os.write(control, json.dumps(result).encode() + b"\n")


def _line(control: int) -> bytes:
    text = b""
    while not text.endswith(b"\n"):
        part = os.read(control, 65536)
        if not part:
            sys.exit(0)
        text += part
    return text


def _prctl(option: int, value: int) -> None:
    if _LIBC.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def _become_command(order: dict[str, Any], troubled: int) -> None:
    """In the child: take on what is ordered, one step after another, and become the command. Never returns."""
    step = "start"
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]:
            # What this process was started with is not the command's.
            if number > 2 and number != troubled:
                with contextlib.suppress(OSError):
                    os.close(number)
        for kind in (signal.SIGCHLD, signal.SIGPIPE):
            signal.signal(kind, signal.SIG_DFL)
        step = "limits"
        for number, soft, hard in order["limits"]:
            resource.setrlimit(number, (soft, hard))
        step = "user"
        if order["uid"] is not None:
            os.setgroups(order["groups"])
            os.setgid(order["gid"])
            os.setuid(order["uid"])
        _prctl(_PDEATHSIG, signal.SIGKILL)
        step = "directory"
        if order["directory"]:
            os.chdir(order["directory"])
        step = "start"
        os.execve(order["argv"][0], order["argv"], order["environment"])  # noqa: S606 - what was ordered
    except BaseException as error:
        text = getattr(error, "strerror", None) or str(error)
        os.write(troubled, json.dumps({"error": text, "step": step}).encode())
    finally:
        os._exit(127)


def _wait(pid: int, control: int, wake: int) -> dict[str, int]:
    """Return how the command ended; {} when the other side closed before. Orphans are buried on the way."""
    while True:
        while (ended := _bury()) is not None:
            if ended[0] == pid:
                code = os.waitstatus_to_exitcode(ended[1])
                return {"code": code} if code >= 0 else {"signal": -code}
        ready, _, _ = select.select([control, wake], [], [])
        if control in ready and not os.read(control, 1):
            return {}
        if wake in ready:
            os.read(wake, 4096)


def _bury() -> tuple[int, int] | None:
    try:
        pid, status = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return None
    return (pid, status) if pid else None


def _end_all(grace_seconds: float) -> None:
    """End every process below this one. Forks in between are found by looking again."""
    kind, deadline = signal.SIGTERM, time.monotonic() + grace_seconds
    told: set[int] = set()
    while True:
        while _bury() is not None:
            pass
        found = _below(os.getpid())
        if not found:
            return
        if kind == signal.SIGTERM and time.monotonic() > deadline:
            kind, told = signal.SIGKILL, set()
        elif kind == signal.SIGKILL and time.monotonic() > deadline + 5:
            # In the kernel (a dead NFS server, say), or another user's: it can only be left.
            return
        for pid in found - told:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, kind)
                if kind == signal.SIGTERM:
                    # A stopped process takes nothing before it goes on.
                    os.kill(pid, signal.SIGCONT)
        if kind == signal.SIGTERM:
            told |= found
        time.sleep(_POLL_SECONDS)


def _below(top: int) -> set[int]:
    """Return the processes below `top` that still run."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
                children.setdefault(int(parent), []).append(0 if state in "ZX" else int(entry.name))
    found: set[int] = set()
    queue = [top]
    while queue:
        below = [pid for pid in children.get(queue.pop(), []) if pid and pid not in found]
        found.update(below)
        queue += below
    return found


if __name__ == "__main__":
    main()
