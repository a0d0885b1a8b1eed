"""What receivers remember between messages: flushed on time, and on disk where it has to survive a restart.

DATA/spool/state/<protocol>/<name>    what `State.changes` told, a file each
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from quarterdeck.core.clock import now
from quarterdeck.core.errors import Unavailable
from quarterdeck.intake.gate import Gate
from quarterdeck.telemetry.receiving import Receiver, Refused, State, Taken

log = logging.getLogger(__name__)
_TICK_SECONDS = 0.25
_LAST_SECONDS = 10.0


class States:
    """The states of all receivers that have one. `of` may be called from any thread."""

    def __init__(self, receivers: Mapping[str, Receiver], gate: Gate, directory: Path) -> None:
        self._gate = gate
        self._directory = directory
        self._seconds = {name: receiver.flush_seconds for name, receiver in receivers.items() if receiver.state}
        self._states: dict[str, State] = {
            name: receiver.state(self._read(name)) for name, receiver in receivers.items() if receiver.state
        }
        self._due = {name: time.monotonic() + seconds for name, seconds in self._seconds.items()}
        self._saving = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="flush", daemon=True)

    def of(self, protocol: str) -> Any:
        """Return the protocol's state, None for one that remembers nothing."""
        return self._states.get(protocol)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Give everything that is remembered to the spool; it still has to be open."""
        self._stop.set()
        self._thread.join()
        kept = [one for protocol in self._states for one in self._flush(protocol)]
        for future in kept:
            if error := future.exception(_LAST_SECONDS):
                log.warning("what was put together last is lost: %s", error)

    def _run(self) -> None:
        while not self._stop.wait(_TICK_SECONDS):
            for protocol, due in self._due.items():
                if time.monotonic() >= due:
                    self._due[protocol] = max(due + self._seconds[protocol], time.monotonic())
                    self._flush(protocol)

    def _flush(self, protocol: str) -> list[Future[None]]:
        try:
            flushed = self._states[protocol].flush(now())
            kept = [self._keep(protocol, key, taken) for key, taken in flushed.items()]
            self._save(protocol)
        except Exception:
            log.exception("BUG: the state of %s is not flushed", protocol)
            return []
        return [future for future in kept if future is not None]

    def _keep(self, protocol: str, key_id: int, taken: Taken) -> Future[None] | None:
        key = self._gate.keyring.get(key_id)
        if taken.refused:
            self._gate.refused(protocol, key_id, taken.refused)
        if key is None or not taken.frames:
            # A key that was revoked meanwhile has lost its right to what is not stored yet.
            return None
        try:
            return self._gate.keep(protocol, key, taken.frames)
        except Refused as error:
            log.warning("%s: what was put together is not kept: %s", protocol, error.message)
            return None

    # Files.

    async def save(self, protocol: str) -> None:
        """Make the state's changes durable. Raises Refused when the disk does not take them."""
        if protocol not in self._states:
            return
        try:
            await asyncio.to_thread(self._save, protocol)
        except OSError as error:
            log.error("the state of %s cannot be written: %s", protocol, error)
            raise Refused("the intake cannot keep data: its disk is full", reason="spool_full", status=503) from error

    def _save(self, protocol: str) -> None:
        # One at a time, so that an older change never comes behind a newer one.
        with self._saving:
            changes = self._states[protocol].changes()
            if not changes:
                return
            place = self._directory / protocol
            place.mkdir(parents=True, exist_ok=True, mode=0o700)
            for name, content in changes.items():
                if content:
                    _write(place / name, content)
                else:
                    (place / name).unlink(missing_ok=True)
            _sync(place)

    def _read(self, protocol: str) -> dict[str, bytes]:
        try:
            return {
                path.name: path.read_bytes()
                for path in (self._directory / protocol).iterdir()
                if path.suffix != ".fresh"
            }
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise Unavailable(
                f"the state of {protocol} cannot be read: {error}", hint=f"look at {self._directory / protocol}"
            ) from error


def _write(path: Path, content: bytes) -> None:
    fresh = path.with_name(f"{path.name}.fresh")
    with fresh.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
