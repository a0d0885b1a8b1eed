"""What every laboratory server shares: Debian packages, free ports, a process with a log, waiting."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import mkdtemp

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 180
_DICE = random.SystemRandom()


def need(*programs: str) -> None:
    """Install the system parts when one of the programs is missing. A part that cannot be had fails the test."""
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/lib/postgresql/15/bin"))
    if any(shutil.which(program, path=path) is None for program in programs):
        subprocess.run([ROOT / "tests/bin/system-parts"], check=True)


def free_port() -> int:
    """Return a port that nothing has, for TCP and UDP. It is none of those that the kernel gives to connections: one of
    them might be taken before the server that is meant comes to listen."""
    while True:
        port = _DICE.randrange(15_000, 30_000)
        if all(_is_free(port, kind) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)):
            return port


def _is_free(port: int, kind: socket.SocketKind) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        # As servers do: a connection that has ended a moment ago takes nothing.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1 if kind == socket.SOCK_STREAM else 0)
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True


def wait_until(happened: Callable[[], object], what: str | Callable[[], str], seconds: float = START_SECONDS) -> None:
    """Wait until `happened()` is true. The limit only guards against hanging; it measures nothing.

    What is dear to ask, such as the engine, is asked less often: a fifth of the time at most goes into asking.
    """
    deadline = time.monotonic() + seconds
    while True:
        asked = time.monotonic()
        if happened():
            return
        answered = time.monotonic()
        if answered > deadline:
            raise TimeoutError(f"waited {seconds:g} s for {what if isinstance(what, str) else what()}")
        time.sleep(min(max(0.02, 4 * (answered - asked)), 0.5))


def answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


@contextlib.contextmanager
def directory(owner: str = "") -> Iterator[Path]:
    """A directory of its own under /tmp with a short name (sockets live in it), removed at the end."""
    path = Path(mkdtemp(prefix="qd-lab-", dir="/tmp"))
    if owner and os.getuid() == 0:
        shutil.chown(path, owner)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def as_user(user: str) -> list[str]:
    """The words before a command that run it as `user` when we are root: servers refuse to be root."""
    return ["runuser", "-u", user, "--"] if os.getuid() == 0 else []


class Server:
    """A process in a session of its own, with its output in a file."""

    def __init__(self, command: Sequence[str | Path], log: Path, environment: Mapping[str, str] | None = None) -> None:
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )

    def wait_for(self, happened: Callable[[], object], what: str) -> None:
        """Wait until it serves; say what it wrote when it ends instead."""

        def look() -> object:
            if self.process.poll() is not None:
                raise RuntimeError(f"{what} ended with {self.process.returncode}:\n{self.log.read_text()[-2000:]}")
            return happened()

        wait_until(look, what)

    def kill(self) -> None:
        """SIGKILL the whole session at once, as a crash or the out-of-memory killer would."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self, kind: signal.Signals = signal.SIGTERM, seconds: float = 30) -> int:
        """Ask it to end, then make it end; return its exit code."""
        self.process.send_signal(kind)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return self.process.returncode
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
