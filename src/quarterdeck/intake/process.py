"""The intake process: listeners, spool and loader, tied together."""

from __future__ import annotations

import ipaddress
import logging
import resource
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from django.db import DatabaseError, close_old_connections

from quarterdeck.core.keys import instance_key
from quarterdeck.core.processes import remove_run_file, write_run_file
from quarterdeck.core.serving import listen, serve, url_of
from quarterdeck.intake.counters import Counters
from quarterdeck.intake.gate import Gate
from quarterdeck.intake.http import Application
from quarterdeck.intake.keyring import OPEN, REFRESH_SECONDS, Key, Keyring
from quarterdeck.intake.listeners import Listeners
from quarterdeck.intake.loader import Loader
from quarterdeck.intake.own_pages import OwnPages
from quarterdeck.intake.selections import Selections
from quarterdeck.intake.spool.frames import Entry
from quarterdeck.intake.spool.writer import Spool
from quarterdeck.intake.states import States
from quarterdeck.monitoring.scraping.discovery import Discovery
from quarterdeck.monitoring.scraping.scraper import Scraper
from quarterdeck.telemetry import loading
from quarterdeck.telemetry.mapping import Rule
from quarterdeck.telemetry.models import IntakeKey
from quarterdeck.telemetry.receiving import Answer, Request
from quarterdeck.telemetry.redaction import rules

log = logging.getLogger(__name__)
_JSON = "application/json"


def run(data: Path, settings: Mapping[str, Any]) -> None:
    """Receive what is sent to the instance in `data` until SIGTERM; block. Raises Unavailable for a taken address."""
    address = str(settings["intake_http"])
    listener = listen(address, "QD_INTAKE_HTTP=HOST:PORT")
    _allow_many_connections()
    intake = Intake(data, settings)
    intake.start()
    try:
        serve(intake.application, listener, lambda: _announce(data, address, intake))
    finally:
        intake.stop()
        remove_run_file(data, "intake")


def _announce(data: Path, address: str, intake: Intake) -> None:
    intake.listeners.start()
    write_run_file(data, "intake", address=url_of(address))


def _allow_many_connections() -> None:
    """Agents keep their connections open: take what the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = hard if hard != resource.RLIM_INFINITY else 65_536
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class Intake:
    """Everything of one intake process but its sockets' event loop."""

    def __init__(self, data: Path, settings: Mapping[str, Any]) -> None:
        self._rules: list[Rule] = []
        directory = data / "spool"
        gather_seconds = int(settings["intake_gather_ms"]) / 1000
        self.spool = Spool(
            directory, int(settings["spool_max_mb"]) << 20, _is_repeatable, gather_seconds=gather_seconds
        )
        self.counters = Counters(directory / "counters.json")
        self.keyring = Keyring(_read_keys, is_loopback_open=bool(settings["intake_loopback_open"]))
        self.gate = Gate(self.spool, self.keyring, self.counters)
        self.loader = Loader(self.spool, self.counters, self.keyring.labels_of, lambda: self._rules)
        own = OwnPages(instance_key(data, "engine"), self._status, self.spool, self.counters, self.loader.wait_for_more)
        receivers = loading.receivers()
        self.states = States(receivers, self.gate, directory / "state")
        self.application = Application(
            receivers,
            self.gate,
            {"/healthz": self._healthz, "/readyz": self._readyz, **own.pages()},
            self.states,
            body_max_bytes=int(settings["intake_body_max_mb"]) << 20,
            content_max_bytes=int(settings["intake_content_max_mb"]) << 20,
            settings=settings,
        )
        self.selections = Selections(
            {query for receiver in receivers.values() for query in receiver.selections(settings)}
        )
        self.listeners = Listeners(receivers, self.gate, settings, self.states, self.application, self.selections.has)
        discovery = Discovery(str(settings["scrape_config"]), float(settings["scrape_interval_seconds"]))
        self.scraper = Scraper(discovery, lambda frames: self.gate.keep("prometheus_scrape", OPEN, frames))
        self._stop = threading.Event()
        self._has_read = threading.Event()
        self._refresher = threading.Thread(target=self._refresh, name="refresh", daemon=True)

    def start(self) -> None:
        """Begin to load. Nothing is received or loaded before keys and rules of redaction are known."""
        self._refresher.start()
        self._has_read.wait()
        self.loader.start()
        self.states.start()
        self.scraper.start()

    def stop(self) -> None:
        """Seal what was acknowledged and stop; what is not loaded yet waits on the disk."""
        self._stop.set()
        self.scraper.stop()
        self.states.stop()
        self.spool.close()
        self.loader.close()

    def _refresh(self) -> None:
        """Read keys and rules again and again; while the records do not answer, the last ones stay in force."""
        while True:
            try:
                close_old_connections()
                self.keyring.refresh()
                self.selections.refresh()
                self._rules = rules()
                self._has_read.set()
            except DatabaseError as error:
                log.warning("keys and rules cannot be read: %s", type(error).__name__)
            except Exception:
                # This thread is what makes a revoked key end: it goes on.
                log.exception("BUG: keys and rules cannot be read")
            if self._stop.wait(REFRESH_SECONDS if self._has_read.is_set() else 0.2):
                return

    # The intake's own pages.

    def _healthz(self, request: Request) -> Answer:
        return Answer(b'{"status":"ok","process":"intake"}', 200, _JSON)

    def _readyz(self, request: Request) -> Answer:
        return Answer(b'{"status":"ready","process":"intake"}', 200, _JSON)

    def _status(self) -> dict[str, Any]:
        """What `telemetry.intake_status` reads."""
        return {
            "at": time.time(),
            "rows": self.counters.rows(),
            "spool_bytes": self.spool.used_bytes,
            "repeated_records": self.spool.repeated,
            "segments": len(self.spool.sealed()),
            "problem": self.loader.problem,
            "listeners": self.listeners.shown(),
            "scrape": self.scraper.shown(),
        }


def _is_repeatable(entry: Entry) -> bool:
    stream = loading.streams().get(entry.frame.stream)
    return stream is not None and stream.has_ids


def _read_keys() -> Sequence[Key]:
    return [
        Key(
            key.pk,
            key.name,
            key.digest,
            frozenset(key.protocols),
            {str(name): str(value) for name, value in key.labels.items()},
            tuple(ipaddress.ip_network(network) for network in key.networks),
            key.records_per_second,
            key.records_per_day,
            is_revoked=key.revoked_at is not None,
        )
        for key in IntakeKey.objects.all()
    ]
