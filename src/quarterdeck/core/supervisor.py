"""Starts processes, restarts one that dies, and stops them all. Knows nothing about what they do."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

FIRST_DELAY_SECONDS = 0.5
LONGEST_DELAY_SECONDS = 30.0
# One that served this long and dies then is not in a crash loop.
SETTLED_SECONDS = 60.0
STOP_SECONDS = 10.0
_LONGEST_OUTPUT_BYTES = 1 << 20
# Exit codes that say "this will not get better by itself": bad input, no permission to create (BSD sysexits).
LASTING_FAILURES = frozenset({65, 73, 78})


@dataclass(frozen=True, slots=True)
class Program:
    """What to run under which name, with what besides the supervisor's environment."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Child:
    """A program's current process."""

    program: Program
    pid: int = 0
    restarts: int = 0
    started_at: float = 0.0


class Supervisor:
    """Keeps programs running until `stop`, or until one fails in a way that a restart cannot mend.

    `say` gets sentences for the person at the console; `on_change` is called when a process starts or ends. What a
    process writes to its outputs goes to `output_directory/<name>.out`.
    """

    def __init__(
        self,
        programs: Sequence[Program],
        output_directory: Path,
        say: Callable[[str], None],
        on_change: Callable[[list[Child]], None],
    ) -> None:
        self.children = [Child(program) for program in programs]
        self._output_directory = output_directory
        self._say = say
        self._on_change = on_change
        self._stopping = asyncio.Event()
        self.failure: tuple[Child, int] | None = None

    def stop(self) -> None:
        self._stopping.set()

    async def run(self, beside: Callable[[], Awaitable[None]]) -> None:
        """Start everything, do `beside` meanwhile, return when all is stopped. SIGTERM and SIGINT stop."""
        loop = asyncio.get_running_loop()
        for kind in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(kind, self.stop)
        keepers = [asyncio.create_task(self._keep(child)) for child in self.children]
        for keeper in keepers:
            # A keeper ends early only by a fault of ours: better all stop, and say so, than one is never kept again.
            keeper.add_done_callback(lambda _: self.stop())
        other = asyncio.ensure_future(beside())
        await self._stopping.wait()
        other.cancel()
        await asyncio.gather(*keepers)
        with contextlib.suppress(asyncio.CancelledError):
            await other

    async def _keep(self, child: Child) -> None:
        delay = FIRST_DELAY_SECONDS
        while not self._stopping.is_set():
            code = await self._run_once(child)
            if self._stopping.is_set():
                return
            if code in LASTING_FAILURES:
                self.failure = (child, code)
                self.stop()
                return
            if time.time() - child.started_at > SETTLED_SECONDS:
                delay = FIRST_DELAY_SECONDS
            self._say(f"{child.program.name} {ending(code)}; it starts again in {delay:g} s")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay)
            child.restarts += 1
            delay = min(delay * 2, LONGEST_DELAY_SECONDS)

    async def _run_once(self, child: Child) -> int:
        """Run the program until it ends or the supervisor stops; return its exit code, -N for signal N."""
        with self._open_output(child) as output:
            process = await asyncio.create_subprocess_exec(
                *child.program.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **child.program.environment, "QD_SUPERVISOR": str(os.getpid())},
                # A session of its own: Ctrl-C reaches the supervisor alone, and what the process leaves behind can be
                # ended with it.
                start_new_session=True,
            )
        child.pid, child.started_at = process.pid, time.time()
        ended = asyncio.create_task(process.wait())
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            self._tell_change()
            await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            if not ended.done():
                await _end(process, ended)
            _kill_group(process.pid)
        child.pid = 0
        self._tell_change()
        return await ended

    def _tell_change(self) -> None:
        """Tell the change; a full disk, which keeps it from being noted, must not keep a process from its restart."""
        try:
            self._on_change(self.children)
        except OSError as error:
            self._say(f"the state of the processes cannot be noted: {error.strerror or error}")

    def _open_output(self, child: Child) -> BinaryIO:
        try:
            return self._output(child).open("ab")
        except OSError as error:
            self._say(f"what {child.program.name} says is lost: {error.strerror or error}")
            return Path(os.devnull).open("ab")

    def _output(self, child: Child) -> Path:
        path = self._output_directory / f"{child.program.name}.out"
        if path.exists() and path.stat().st_size > _LONGEST_OUTPUT_BYTES:
            path.replace(path.with_suffix(".out.1"))
        return path

    def last_words(self, child: Child) -> str:
        """Return the last lines that the child's process wrote, for the person who wonders why it failed."""
        try:
            text = self._output(child).read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""
        return "\n".join(text.strip().splitlines()[-2:])


async def _end(process: asyncio.subprocess.Process, ended: asyncio.Task[int]) -> None:
    """Ask the process to end, make it end when it takes too long."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    done, _ = await asyncio.wait({ended}, timeout=STOP_SECONDS)
    if not done:
        _kill_group(process.pid)
        await ended


def _kill_group(leader: int) -> None:
    """End whatever is left of the process's group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def ending(code: int) -> str:
    """Return "ended by SIGKILL" or "ended with code 1"."""
    return f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
