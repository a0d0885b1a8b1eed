"""The web process: pages and API."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

from quarterdeck.core.processes import remove_run_file, write_run_file
from quarterdeck.core.serving import listen, serve, url_of

log = logging.getLogger(__name__)


def run(data: Path, address: str) -> None:
    """Prepare the records and serve the pages of the instance in `data` on `address` until SIGTERM; block."""
    listener = listen(address, "--listen HOST:PORT or QD_LISTEN")
    from django.conf import settings

    from quarterdeck.conf.asgi import application
    from quarterdeck.conf.startup import prepare_records

    prepare_records()
    _offer_set_up(data, address)
    try:
        proxies = settings.QD["trusted_proxies"]
        serve(application, listener, lambda: _announce(data, address), trusted_proxies=proxies)
    finally:
        remove_run_file(data, "web")


def _announce(data: Path, address: str) -> None:
    write_run_file(data, "web", address=url_of(address))
    log.info("the pages are served on %s", url_of(address))


def set_up_file(data: Path) -> Path:
    return data / "run" / "set-up.json"


def _offer_set_up(data: Path, address: str) -> None:
    """On an instance without people, leave the one-time link for whoever started it: readable by that user alone."""
    from django.conf import settings

    from quarterdeck.access.actions import setup_link
    from quarterdeck.access.links import needs_setup
    from quarterdeck.audit.actor import SYSTEM

    path = set_up_file(data)
    path.unlink(missing_ok=True)
    if needs_setup():
        base = (settings.QD["public_url"] or url_of(address)).rstrip("/")
        link = f"{base}/set-up/{setup_link(SYSTEM.named('system:start'))}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump({"link": link}, file)
