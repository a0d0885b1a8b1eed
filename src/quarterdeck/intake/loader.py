"""From sealed segments into the engine: one insert for each protocol, stream and key of a segment.

The insert's token is made of the segment's number, so that a segment which is loaded again after a crash counts once.
"""

from __future__ import annotations

import logging
import threading
import zlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from quarterdeck.core.errors import OpsError
from quarterdeck.intake.counters import Counters
from quarterdeck.intake.spool import frames
from quarterdeck.intake.spool.dead import bury
from quarterdeck.intake.spool.frames import Entry
from quarterdeck.intake.spool.writer import Spool
from quarterdeck.telemetry import client, loading
from quarterdeck.telemetry.loading import NotReadable, Origin, load
from quarterdeck.telemetry.mapping import Rule

log = logging.getLogger(__name__)
_FIRST_WAIT_SECONDS = 0.25
_LONGEST_WAIT_SECONDS = 5.0
_IDLE_SECONDS = 0.25
_SAVE_SECONDS = 1.0
# The engine uses both cores in one insert; a second one fills the gaps in which the first waits for the disk.
_PARALLEL = 2

Group = tuple[str, str, int]


class Loader:
    """One thread that empties the spool. `labels_of(key)` and `rules()` are asked at each segment."""

    def __init__(
        self,
        spool: Spool,
        counters: Counters,
        labels_of: Callable[[int], Mapping[str, str]],
        rules: Callable[[], Sequence[Rule]],
    ) -> None:
        self._spool = spool
        self._counters = counters
        self._labels_of = labels_of
        self._rules = rules
        self._stop = threading.Event()
        self._is_busy = False
        self.problem = ""
        self._pool = ThreadPoolExecutor(_PARALLEL, thread_name_prefix="load")
        self._thread = threading.Thread(target=self._run, name="loader", daemon=True)
        spool.wait_while(lambda: self._is_busy)

    def start(self) -> None:
        loading.forget_files()
        waiting = [entry for path in self._spool.sealed() for entry in frames.read(path)]
        self._counters.recovered(waiting)
        self._thread.start()

    def close(self) -> None:
        """Stop after the segment that is being loaded; what is left waits for the next start."""
        self._stop.set()
        self._thread.join()
        self._pool.shutdown()
        self._counters.save()

    def _run(self) -> None:
        self._prepare()
        wait = _FIRST_WAIT_SECONDS
        while not self._stop.is_set():
            segments = self._spool.sealed()
            self._is_busy = bool(segments)
            if not segments:
                self._counters.save()
                self._spool.wait(_IDLE_SECONDS)
                continue
            if self._try(segments[0]):
                wait = _FIRST_WAIT_SECONDS
            else:
                self._stop.wait(wait)
                wait = min(wait * 2, _LONGEST_WAIT_SECONDS)

    def _prepare(self) -> None:
        """Bring the tables up to date as soon as the engine is there, so that they can be asked before data comes."""
        while not self._stop.is_set():
            try:
                client.client()
            except OpsError as error:
                log.info("the engine is not there yet: %s", error.message)
                self._stop.wait(_FIRST_WAIT_SECONDS)
            else:
                return

    def _try(self, path: Path) -> bool:
        """Load one segment; False when the engine is away, or something is wrong that is not the segment's fault."""
        try:
            self._load(path)
        except OpsError as error:
            self._note(error.message)
            return False
        except Exception as error:
            log.exception("BUG: segment %s is not loaded", path.name)
            self._note(f"{type(error).__name__}: {error}")
            return False
        self._spool.loaded(path)
        self._counters.save()
        self._note("")
        return True

    def _note(self, problem: str) -> None:
        if problem and problem != self.problem:
            log.warning("loading waits: %s", problem)
        self.problem = problem

    def _load(self, path: Path) -> None:
        groups: dict[Group, list[Entry]] = {}
        for entry in frames.read(path):
            groups.setdefault((entry.protocol, entry.frame.stream, entry.key), []).append(entry)
        rules = self._rules()
        work = [
            self._pool.submit(self._load_group, f"{path.stem}-{protocol}-{stream}-{key}", entries, rules, path.stem)
            for (protocol, stream, key), entries in groups.items()
        ]
        failures = [failure for future in work if (failure := future.exception()) is not None]
        if failures:
            raise failures[0]

    def _load_group(self, token: str, entries: list[Entry], rules: Sequence[Rule], segment: str) -> None:
        first = entries[0]
        origin = Origin(first.protocol, first.key, first.received_ms, self._labels_of(first.key))
        dead = self._load_part(token, entries, origin, rules, segment)
        ids = set(map(id, dead))
        self._counters.done([entry for entry in entries if id(entry) not in ids])
        self._counters.done(dead, dead=True)

    def _load_part(
        self, token: str, entries: list[Entry], origin: Origin, rules: Sequence[Rule], segment: str, start: int = 0
    ) -> list[Entry]:
        """Load entries; where the engine cannot take them, halve them until the bad ones are alone. Return those."""
        try:
            load([entry.frame for entry in entries], origin, f"{token}-{start}-{len(entries)}", rules)
        except (NotReadable, client.TooHeavy) as error:
            if len(entries) == 1:
                bury(self._spool.directory / "dead", f"{segment}-{_hash(token)}-{start:06d}", entries[0], error.message)
                log.warning("a frame of %s is dead: %s", origin.protocol, error.message)
                return entries
            half = len(entries) // 2
            return self._load_part(token, entries[:half], origin, rules, segment, start) + self._load_part(
                token, entries[half:], origin, rules, segment, start + half
            )
        return []


def _hash(token: str) -> str:
    return f"{zlib.crc32(token.encode()):08x}"
