"""Parts of one program as processes forked from it, which share its memory; one that dies is forked anew."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from typing import NoReturn

from quarterdeck.core.processes import die_with_parent

log = logging.getLogger(__name__)
_DELAY_SECONDS = 1.0
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


def keep(parts: Mapping[str, Callable[[], None]]) -> None:
    """Fork a process for each of `parts` and keep them until SIGTERM; block until all have ended.

    Call it before there are threads, database connections or event loops: none of these survives a fork.
    """
    # What is there now is shared; the collector would touch, and so copy, all of it in each process.
    gc.collect()
    gc.freeze()
    _Keeper(parts).keep()


class _Keeper:
    def __init__(self, parts: Mapping[str, Callable[[], None]]) -> None:
        self._parts = parts
        self._running: dict[int, str] = {}
        self._is_stopping = False

    def keep(self) -> None:
        for kind in _SIGNALS:
            signal.signal(kind, self._stop)
        for name in self._parts:
            self._fork(name)
        while self._running:
            pid, status = os.wait()
            name = self._running.pop(pid, "")
            if name and not self._is_stopping:
                log.error("%s ended with %d; it starts again", name, os.waitstatus_to_exitcode(status))
                time.sleep(_DELAY_SECONDS)
                if not self._is_stopping:
                    self._fork(name)

    def _stop(self, *_: object) -> None:
        self._is_stopping = True
        for pid in self._running:
            os.kill(pid, signal.SIGTERM)

    def _fork(self, name: str) -> None:
        parent = os.getpid()
        # A signal that came between the fork and the note of the child would miss it.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        if not self._is_stopping:
            pid = os.fork()
            if pid == 0:
                self._begin(name, parent)
            self._running[pid] = name
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)

    def _begin(self, name: str, parent: int) -> NoReturn:
        code = 1
        try:
            for kind in _SIGNALS:
                signal.signal(kind, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            die_with_parent(parent, signal.SIGKILL)
            self._parts[name]()
            code = 0
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 1
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
