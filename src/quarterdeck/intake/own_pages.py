"""What the other processes of the instance ask of the intake, with the instance's own key: its state, its dead letters.

GET  /intake/status
GET  /intake/stored?known=N            {"stored": M} once that is not N; while somebody asks nothing is gathered long
GET  /intake/dead                      {"letters": [...]}
GET  /intake/dead/letter?name=...      one letter with the beginning of its content
POST /intake/dead/retry                {"names": [...]}  ->  {"done": [...], "missing": [...]}
POST /intake/dead/delete               the same
"""

from __future__ import annotations

import base64
import hmac
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any

import orjson

from quarterdeck.intake.counters import Counters
from quarterdeck.intake.spool import dead
from quarterdeck.intake.spool.writer import Spool, SpoolFull
from quarterdeck.telemetry import loading
from quarterdeck.telemetry.receiving import Answer, Request

_JSON = "application/json"
# What is shown of a letter; a person looks at its beginning.
_CONTENT_MAX_BYTES = 64 << 10
_NAMES_MAX = 1000
_DURABLE_SECONDS = 30
# So long an answer of `stored` may take, and so much longer is whoever asks taken to be waiting: he asks again.
_NEWS_SECONDS = 2
_STAYS_SECONDS = 2
# Each holds a thread of those that look at what senders send; others get their answer at once.
_WAITING_MAX = 2

Page = Callable[[Request], Answer]


class _NotReadHere(Exception):
    """The plug-in that understood a letter is gone."""


def _answer(body: Any, status: int = 200) -> Answer:
    return Answer(orjson.dumps(body), status, _JSON)


class OwnPages:
    """`status` gives the state; `password` is the instance's engine key."""

    def __init__(
        self,
        password: str,
        status: Callable[[], dict[str, Any]],
        spool: Spool,
        counters: Counters,
        stored: Callable[[int, float], int],
    ) -> None:
        self._password = password.encode()
        self._status = status
        self._stored = stored
        self._spool = spool
        self._counters = counters
        self._directory = spool.directory / "dead"
        self._places = threading.Semaphore(_WAITING_MAX)
        # A letter that two people retry at once is loaded once.
        self._lock = threading.Lock()

    def pages(self) -> Mapping[str, Page]:
        return {
            "/intake/status": self._guarded("GET", lambda request: _answer(self._status())),
            "/intake/stored": self._guarded("GET", self._news),
            "/intake/dead": self._guarded("GET", self._list),
            "/intake/dead/letter": self._guarded("GET", self._show),
            "/intake/dead/retry": self._guarded("POST", lambda request: self._each(request, self._retry)),
            "/intake/dead/delete": self._guarded("POST", lambda request: self._each(request, self._delete)),
        }

    def _guarded(self, method: str, page: Page) -> Page:
        def guarded(request: Request) -> Answer:
            given = request.headers.get("authorization", "").removeprefix("Bearer ")
            if not hmac.compare_digest(given.encode(), self._password):
                return _answer({"status": "denied"}, 401)
            if request.method != method:
                return _answer({"status": f"{method} is needed"}, 405)
            return page(request)

        return guarded

    def _news(self, request: Request) -> Answer:
        known = request.query.get("known", "")
        self._spool.hurry(_NEWS_SECONDS + _STAYS_SECONDS)
        has_place = self._places.acquire(blocking=False)
        try:
            stored = self._stored(int(known) if known.isdecimal() else -1, _NEWS_SECONDS if has_place else 0)
        finally:
            if has_place:
                self._places.release()
        return _answer({"stored": stored})

    def _list(self, request: Request) -> Answer:
        return _answer({"letters": [_facts(letter) for letter in dead.letters(self._directory)]})

    def _show(self, request: Request) -> Answer:
        letter = dead.letter(self._directory, request.query.get("name", ""))
        if letter is None:
            return _answer({"status": "missing"}, 404)
        content = letter.entry.frame.content[:_CONTENT_MAX_BYTES]
        return _answer({**_facts(letter), "content": base64.b64encode(content).decode()})

    def _each(self, request: Request, work: Callable[[dead.Letter], None]) -> Answer:
        """Do `work` on the named letters. Answers 503 when the spool takes nothing: those that are left stay dead."""
        try:
            names = [str(name) for name in orjson.loads(request.body)["names"]][:_NAMES_MAX]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return _answer({"status": "names are needed"}, 400)
        done, missing = [], []
        with self._lock:
            for name in names:
                letter = dead.letter(self._directory, name)
                if letter is None:
                    missing.append(name)
                    continue
                try:
                    work(letter)
                except _NotReadHere as error:
                    return _answer({"status": str(error)}, 409)
                except (SpoolFull, FutureTimeout) as error:
                    return _answer({"status": str(error) or "the spool does not answer"}, 503)
                done.append(name)
        return _answer({"done": done, "missing": missing})

    def _retry(self, letter: dead.Letter) -> None:
        """Put a letter back into the spool. It is deleted once it is durable there: a crash in between keeps both."""
        if letter.entry.frame.stream not in loading.streams():
            raise _NotReadHere(f"no protocol reads {letter.entry.frame.stream} here any more")
        self._spool.append([letter.entry], again=True).result(_DURABLE_SECONDS)
        self._counters.revived([letter.entry])
        dead.discard(self._directory, letter.name)

    def _delete(self, letter: dead.Letter) -> None:
        dead.discard(self._directory, letter.name)


def _facts(letter: dead.Letter) -> dict[str, Any]:
    entry = letter.entry
    return {
        "name": letter.name,
        "protocol": entry.protocol,
        "stream": entry.frame.stream,
        "key": entry.key,
        "received_ms": entry.received_ms,
        "records": entry.frame.records,
        "reason": letter.reason,
        "bytes": letter.size,
    }
