"""A log with a folder of its own, and ten events in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import Actor, ActorKind
from quarterdeck.audit.models import AuditEvent

ALICE = Actor(ActorKind.USER, "alice", "7", auth_method="password", source_ip="192.0.2.7", request_id="request-1")


@pytest.fixture(autouse=True)
def folder(settings: Settings, tmp_path: Path) -> Path:
    """Checkpoints and archives of a test go here. The instance's keys stay: they were read before."""
    settings.DATA = tmp_path
    return tmp_path / "audit"


@pytest.fixture
def log(db: None) -> list[AuditEvent]:
    """Ten events, oldest first: `web0` to `web9` changed by alice."""
    return [
        record(
            ALICE, "inventory.update", ("item", str(100 + number), f"web{number}"), before={"cpu": 1}, after={"cpu": 2}
        )
        for number in range(10)
    ]
