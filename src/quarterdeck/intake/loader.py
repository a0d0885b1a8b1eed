"""From sealed segments into the engine: one insert for each protocol, stream and key of a segment.

The insert's token is made of the segment's number, so that a segment which is loaded again after a crash counts once.
"""

from __future__ import annotations

import logging
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent import futures
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from quarterdeck.core.errors import OpsError
from quarterdeck.intake.counters import Counters
from quarterdeck.intake.spool import frames
from quarterdeck.intake.spool.dead import bury
from quarterdeck.intake.spool.frames import Entry
from quarterdeck.intake.spool.splits import Splits, forget_orphans
from quarterdeck.intake.spool.writer import Spool
from quarterdeck.telemetry import client, loading
from quarterdeck.telemetry.loading import NotReadable, Origin, load
from quarterdeck.telemetry.mapping import Rule
from quarterdeck.telemetry.receiving import Frame

log = logging.getLogger(__name__)
_FIRST_WAIT_SECONDS = 0.25
_LONGEST_WAIT_SECONDS = 5.0
_IDLE_SECONDS = 0.25
# How soon a segment is taken up beside another one.
_ROOM_SECONDS = 0.05
# The engine works at one insert with one core, to store it whole or not at all: two at once use the machine. A third
# is for the small groups of a segment, which have not to wait for its large one.
_PARALLEL = 3
_SEGMENTS = 2

# A frame that alone needs more memory or time than the engine may use is tried so often before it is given up.
_HEAVY_TRIES = 8

Group = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class _Group:
    """What one insert shares; `token` begins with the segment's number."""

    token: str
    origin: Origin
    rules: Sequence[Rule]
    splits: Splits


class Loader:
    """Empties the spool, two segments at a time. `labels_of(key)` and `rules()` are asked at each segment."""

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
        # Segments that are being loaded, and those that are loaded but not deleted yet. Of the loader's thread.
        self._loading: dict[Path, Future[bool]] = {}
        self._loaded: set[Path] = set()
        self._heavy: Counter[str] = Counter()
        self.problem = ""
        self._news = threading.Condition()
        self._stored = 0
        self._pool = ThreadPoolExecutor(_PARALLEL, thread_name_prefix="load")
        self._segments = ThreadPoolExecutor(_SEGMENTS, thread_name_prefix="segment")
        self._thread = threading.Thread(target=self._run, name="loader", daemon=True)
        spool.wait_while(busy=lambda: len(self._loading) >= _SEGMENTS, idle=lambda: not self._loading)

    def start(self) -> None:
        loading.forget_files()
        forget_orphans(self._spool.directory)
        waiting = [entry for path in self._spool.sealed() for entry in frames.read(path)]
        self._counters.recovered(waiting)
        self._thread.start()

    def close(self) -> None:
        """Stop after the segments that are being loaded; what is left waits for the next start."""
        self._stop.set()
        with self._news:
            self._news.notify_all()
        self._thread.join()
        self._segments.shutdown()
        self._pool.shutdown()
        self._collect()
        self._counters.save()

    def wait_for_more(self, known: int, seconds: float) -> int:
        """Return how many inserts were stored since the start: once that is not `known`, at last after `seconds`."""
        with self._news:
            self._news.wait_for(lambda: self._stored != known or self._stop.is_set(), seconds)
            return self._stored

    def _tell(self) -> None:
        with self._news:
            self._stored += 1
            self._news.notify_all()

    def _run(self) -> None:
        self._prepare()
        wait = _FIRST_WAIT_SECONDS
        while not self._stop.is_set():
            outcomes = self._collect()
            if True in outcomes:
                wait = _FIRST_WAIT_SECONDS
            elif outcomes:
                self._stop.wait(wait)
                wait = min(wait * 2, _LONGEST_WAIT_SECONDS)
            self._start_loading()
            if self._loading:
                pause = _IDLE_SECONDS if len(self._loading) >= _SEGMENTS else _ROOM_SECONDS
                futures.wait(self._loading.values(), pause, futures.FIRST_COMPLETED)
            else:
                self._counters.save()
                self._spool.wait(_IDLE_SECONDS)

    def _start_loading(self) -> None:
        """Take up the oldest segments that wait, as many as are loaded at once."""
        for path in self._spool.sealed():
            if len(self._loading) >= _SEGMENTS:
                return
            if path not in self._loaded and path not in self._loading:
                self._loading[path] = self._segments.submit(self._try, path)

    def _collect(self) -> list[bool]:
        """Delete the segments that were loaded; return for each that is over whether it was."""
        over = {path: future.result() for path, future in self._loading.items() if future.done()}
        for path, is_loaded in over.items():
            del self._loading[path]
            if is_loaded:
                self._loaded.add(path)
        self._forget()
        if over:
            self._counters.save()
        return list(over.values())

    def _forget(self) -> None:
        """Delete segments that are loaded; on a disk that is read-only they stay, and are not loaded again.

        How a segment was divided is forgotten after it: loaded again in other parts, it would count twice.
        """
        for path in sorted(self._loaded):
            try:
                self._spool.loaded(path)
                self._loaded.discard(path)
                Splits(path).forget()
            except OSError as error:
                self._note(f"{path.name} is loaded but cannot be deleted: {error.strerror}")
                return

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
        except (OpsError, OSError) as error:
            self._note(error.message if isinstance(error, OpsError) else f"{path.name}: {error}")
            return False
        except Exception as error:
            log.exception("BUG: segment %s is not loaded", path.name)
            self._note(f"{type(error).__name__}: {error}")
            return False
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
        rules, splits = self._rules(), Splits(path)
        named = [(self._group(path, name, entries, rules, splits), entries) for name, entries in groups.items()]
        work = [(entries, self._pool.submit(self._load_group, group, entries)) for group, entries in named]
        failures = [failure for _entries, future in work if (failure := future.exception()) is not None]
        if failures:
            raise failures[0]
        self._bury_tail(path)
        # Counted once all of it is loaded: a segment that fails in part is loaded again from its start.
        for entries, future in work:
            dead = set(map(id, future.result()))
            self._counters.done([entry for entry in entries if id(entry) not in dead])
            self._counters.done([entry for entry in entries if id(entry) in dead], dead=True)
        for token in [token for token in self._heavy if token.startswith(path.stem)]:
            del self._heavy[token]

    def _group(self, path: Path, group: Group, entries: list[Entry], rules: Sequence[Rule], splits: Splits) -> _Group:
        protocol, stream, key = group
        origin = Origin(protocol, key, entries[0].received_ms, self._labels_of(key))
        return _Group(f"{path.stem}-{protocol}-{stream}-{key}", origin, rules, splits)

    def _load_group(self, group: _Group, entries: list[Entry], start: int = 0) -> list[Entry]:
        """Load entries; where the engine cannot take them, halve them until the bad ones are alone. Return those."""
        token = _token(group, entries, start)
        if token not in group.splits:
            try:
                load([entry.frame for entry in entries], group.origin, token, group.rules)
                self._tell()
                return []
            except (NotReadable, client.TooHeavy) as error:
                if len(entries) == 1:
                    self._give_up(group, entries[0], start, error)
                    return entries
                group.splits.add(token)
        half = len(entries) // 2
        return self._load_group(group, entries[:half], start) + self._load_group(group, entries[half:], start + half)

    def _give_up(self, group: _Group, entry: Entry, start: int, error: NotReadable | client.TooHeavy) -> None:
        """Bury what the engine cannot read. Raises TooHeavy while it may only be that the engine is short of memory."""
        if isinstance(error, client.TooHeavy):
            self._heavy[f"{group.token}-{start}"] += 1
            if self._heavy[f"{group.token}-{start}"] < _HEAVY_TRIES:
                raise error
        segment = group.token.partition("-")[0]
        bury(self._spool.directory / "dead", f"{segment}-{_hash(group.token)}-{start:06d}", entry, error.message)
        log.warning("a frame of %s is dead: %s", group.origin.protocol, error.message)

    def _bury_tail(self, path: Path) -> None:
        """Keep what cannot be read of a segment that was garbled on the disk."""
        rest = frames.tail(path)
        if rest:
            entry = Entry("spool", 0, int(path.stat().st_mtime * 1000), Frame("spool.garbled", rest, 0))
            reason = f"the last {len(rest)} bytes of segment {path.name} are garbled"
            bury(self._spool.directory / "dead", f"{path.stem}-{_hash('garbled')}-000000", entry, reason)
            log.error("%s; they are in %s", reason, self._spool.directory / "dead")


def _token(group: _Group, entries: Sequence[Entry], start: int) -> str:
    return f"{group.token}-{start}-{len(entries)}"


def _hash(token: str) -> str:
    return f"{zlib.crc32(token.encode()):08x}"
