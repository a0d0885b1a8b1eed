"""The laboratory as pytest fixtures. Those of the session are started once, by the first test that asks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.lab.chromium import chromium as start_chromium
from tests.lab.instances import Instance, running_instance
from tests.lab.intake import IntakeLab
from tests.lab.postgres import postgres as start_postgres
from tests.lab.sshd import SshServer
from tests.lab.sshd import sshd as start_sshd
from tests.telemetry.engines import Engine

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def instance() -> Iterator[Instance]:
    """A running Quarterdeck, shared: a test leaves it as usable as it found it."""
    with running_instance() as running:
        yield running


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """The engine of the tests' own data directory, which the product's client finds by itself."""
    from django.conf import settings

    from quarterdeck.telemetry import client

    engine = Engine(Path(settings.DATA)).start()
    yield engine
    client.forget()
    engine.stop()


@pytest.fixture(scope="session")
def intake() -> Iterator[IntakeLab]:
    """An instance with every listener open, shared by the tests of all protocols: each looks for its own data only."""
    with IntakeLab.running() as lab:
        yield lab


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser for one file of tests. Its event loop is the thread's running one for as long as it lives: what comes
    after it in the same process could neither run another nor ask the database."""
    with start_chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def sshd() -> Iterator[SshServer]:
    with start_sshd() as server:
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL of the session's own."""
    with start_postgres() as url:
        yield url
