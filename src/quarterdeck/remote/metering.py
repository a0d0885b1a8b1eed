"""What every command has in common, wherever it runs: its output counted and cut, and its end."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from quarterdeck.remote.sessions import Chunk, Stream

MAX_OUTPUT_BYTES = 10 << 20


@dataclass(frozen=True, slots=True)
class Exit:
    """How a command ended. `code` is None when a signal ended it (`signal` "KILL") or it ran out of its time.

    `stdout_bytes` and `stderr_bytes` count everything; `is_cut` tells that not all of it was handed on.
    """

    code: int | None
    signal: str
    seconds: float
    stdout_bytes: int
    stderr_bytes: int
    is_cut: bool = False
    is_timed_out: bool = False


@dataclass(slots=True)
class Meter:
    """Counts one command's output and hands on `max_bytes` of it."""

    max_bytes: int = MAX_OUTPUT_BYTES
    began: float = field(default_factory=time.monotonic)
    counts: dict[Stream, int] = field(default_factory=lambda: dict.fromkeys(Stream, 0))
    is_cut: bool = False

    def allowed(self, chunk: Chunk) -> Chunk | None:
        """Count a chunk; return the part of it that is handed on."""
        room = self.max_bytes - sum(self.counts.values())
        self.counts[chunk.stream] += len(chunk.data)
        if len(chunk.data) <= room:
            return chunk
        self.is_cut = True
        return Chunk(chunk.stream, chunk.data[:room]) if room > 0 else None

    def exit(self, code: int | None, signal: str = "", *, is_timed_out: bool = False) -> Exit:
        seconds = time.monotonic() - self.began
        counts = (self.counts[Stream.STDOUT], self.counts[Stream.STDERR])
        return Exit(code, signal, seconds, *counts, is_cut=self.is_cut, is_timed_out=is_timed_out)
