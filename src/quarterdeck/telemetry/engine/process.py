"""The process around the engine: one per data directory, on loopback, told by `DATA/run/engine.json`."""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from quarterdeck.core.errors import Conflict, Unavailable
from quarterdeck.core.keys import instance_key
from quarterdeck.core.processes import remove_run_file, run_file, write_run_file
from quarterdeck.telemetry.engine.deduplication import forget_uncommitted
from quarterdeck.telemetry.engine.footprint import release_library_pages
from quarterdeck.telemetry.engine.http import ENGINE_USER, Interface
from quarterdeck.telemetry.engine.limits import Limits

__all__ = ["ENGINE_USER", "serve"]

log = logging.getLogger(__name__)


def serve(data: Path, address: str = "127.0.0.1:0", *, limits: Limits | None = None) -> None:
    """Serve the telemetry of the instance in `data` on `address` ("host:port", port 0 for a free one); block.

    `DATA/run/engine.json` holds {"pid", "address"} while it serves. SIGTERM and SIGINT let running statements finish.
    Raises Conflict when another process has this directory, Unavailable when the address or the directory cannot be
    used.
    """
    limits = limits or Limits()
    # The engine takes a table that it does not know for a file beside it, and keeps its cache of schemas there.
    data = data.resolve()
    beside = data / "run" / "engine-cwd"
    beside.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.chdir(beside)
    with _sole_owner(data):
        listener = _listen(address)
        _serve(data, listener, limits)


def _serve(data: Path, listener: socket.socket, limits: Limits) -> None:
    # chDB takes 0.3 s and 65 MB to import: only the process that needs it pays.
    from quarterdeck.telemetry.engine.executor import Executor
    from quarterdeck.telemetry.engine.failures import EngineFailure

    scratch = data / "run" / "engine"
    _clear(scratch)
    forget_uncommitted(data / "telemetry")
    try:
        executor = Executor(data / "telemetry", scratch, limits)
    except (RuntimeError, EngineFailure) as error:
        raise Unavailable(
            f"the telemetry in {data / 'telemetry'} cannot be opened: {error}",
            hint="check that the disk has space and the files belong to this user; `quarterdeck doctor` looks closer",
        ) from error
    interface = Interface(executor, instance_key(data, "engine"), limits, scratch)
    try:
        _ignore_stop_signals()
        _Server(data, listener, interface, limits).run([listener])
    finally:
        remove_run_file(data, "engine")
        if not interface.close(limits.stop_seconds):
            # The engine cannot be closed under a running statement. Ending hard loses nothing that was acknowledged.
            log.warning("a statement still runs after %s s; stopping without it", limits.stop_seconds)
            os._exit(0)
        executor.close()


def _ignore_stop_signals() -> None:
    """uvicorn stops at these by itself and then raises them again, which would end the process before its clean-up."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)


class _Server(uvicorn.Server):
    """uvicorn that tells where it serves, once it does."""

    def __init__(self, data: Path, listener: socket.socket, interface: Interface, limits: Limits) -> None:
        host, port = listener.getsockname()[:2]
        self._data = data
        self._address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        super().__init__(
            uvicorn.Config(
                interface,
                access_log=False,
                log_config=None,
                lifespan="off",
                ws="none",
                server_header=False,
                timeout_graceful_shutdown=limits.stop_seconds,
                timeout_keep_alive=120,
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        release_library_pages()
        write_run_file(self._data, "engine", address=self._address)
        log.info("the engine serves on %s", self._address)


@contextmanager
def _sole_owner(data: Path) -> Iterator[None]:
    """Hold the directory's lock. A second process on a chDB directory would crash, or worse, both would write."""
    path = data / "run" / "engine.lock"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = run_file(data, "engine").get("pid", "unknown")
            raise Conflict(
                f"another engine (process {owner}) has the telemetry in {data}",
                hint="stop it first, or choose another data directory with --data DIR",
            ) from error
        yield


def _listen(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host.strip("[]"), int(port)))
    except OSError as error:
        listener.close()
        raise Unavailable(
            f"the engine cannot listen on {address}: {error.strerror or error}",
            hint="choose another address, or port 0 for a free one",
        ) from error
    listener.listen(128)
    return listener


def _clear(scratch: Path) -> None:
    """Remove what an engine that was killed left of half-received requests."""
    scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
    for leftover in scratch.iterdir():
        leftover.unlink()
