"""Which queries turned out to be too large to be answered at once, so that they are not tried so again for a while."""

from __future__ import annotations

import threading
import time

FORGOTTEN_SECONDS = 600
_KEPT_MAX = 1000

_lock = threading.Lock()
_large_until: dict[str, float] = {}


def is_large(text: str) -> bool:
    """Whether the query did not fit into memory lately."""
    return _large_until.get(text, 0) > time.monotonic()


def note_large(text: str) -> None:
    with _lock:
        if len(_large_until) >= _KEPT_MAX:
            _large_until.clear()
        _large_until[text] = time.monotonic() + FORGOTTEN_SECONDS
