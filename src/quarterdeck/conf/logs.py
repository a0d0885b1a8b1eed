"""Logs of the processes: `DATA/log/<process>.log`, rotated, and readable lines on the console."""

from __future__ import annotations

import fcntl
import logging
import os
import re
import sys
import time
import warnings
from collections.abc import Iterable
from logging.handlers import WatchedFileHandler
from pathlib import Path

_MAX_BYTES = 10 * 1024 * 1024
_KEPT_FILES = 5
_MIN_SECRET_LENGTH = 6
_URL_PASSWORD = re.compile(r"(://[^:/@\s]*):[^@/\s]+@")


class RotatedFile(WatchedFileHandler):
    """A log file that several processes write: whoever finds it full rotates it, the others notice.

    It never raises: on a full disk an answer that cannot be logged must be given all the same.
    """

    def emit(self, record: logging.LogRecord) -> None:
        try:
            # Not `tell()`, which first writes what an earlier failure left in the buffer, and fails again.
            if self.stream and os.fstat(self.stream.fileno()).st_size > _MAX_BYTES:
                self._rotate()
        except OSError:
            self.handleError(record)
        super().emit(record)

    def _rotate(self) -> None:
        path = Path(self.baseFilename)
        with path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            # Another process may have rotated it while this one waited.
            if path.exists() and path.stat().st_size > _MAX_BYTES:
                for number in range(_KEPT_FILES - 1, 0, -1):
                    older = path.with_name(f"{path.name}.{number}")
                    if older.exists():
                        older.replace(path.with_name(f"{path.name}.{number + 1}"))
                path.replace(path.with_name(f"{path.name}.1"))
        self.reopenIfNeeded()


class WithoutSecrets(logging.Formatter):
    """UTC times, and `(secret)` wherever a secret setting or a URL's password would stand, tracebacks included."""

    converter = staticmethod(time.gmtime)

    def __init__(self, layout: str, secrets: Iterable[str]) -> None:
        super().__init__(layout, datefmt="%Y-%m-%dT%H:%M:%SZ")
        self._secrets = [secret for secret in secrets if len(secret) >= _MIN_SECRET_LENGTH]

    def format(self, record: logging.LogRecord) -> str:
        return self.masked(super().format(record))

    def masked(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "(secret)")
        return _URL_PASSWORD.sub(r"\1:(secret)@", text)


def configure(data: Path, process: str, level: str, secrets: Iterable[str]) -> None:
    """Log what this process says to `data/log/<process>.log`, and to stderr unless a supervisor keeps that."""
    directory = data / "log"
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = RotatedFile(directory / f"{process}.log", encoding="utf-8")
    secrets = list(secrets)
    file.setFormatter(WithoutSecrets("%(asctime)s %(levelname)-7s %(process)d %(name)s: %(message)s", secrets))
    handlers: list[logging.Handler] = [file]
    if "QD_SUPERVISOR" not in os.environ:
        console = logging.StreamHandler(sys.stderr)
        console.setFormatter(WithoutSecrets("%(asctime)s %(levelname)-7s %(message)s", secrets))
        # The command line tells of bugs in a sentence; their tracebacks are in the file.
        console.addFilter(lambda record: record.name != "quarterdeck.bug")
        handlers.append(console)
    logging.basicConfig(level=level.upper(), handlers=handlers, force=True)
    logging.captureWarnings(True)
    warnings.simplefilter("default")
    # They tell every request, or command, that they make; we log what we do with the answer.
    for chatty in ("httpx", "urllib3", "asyncio", "asyncssh"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLogger().level))
