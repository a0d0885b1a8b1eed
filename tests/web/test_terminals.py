"""Pages of terminals: a recording that is watched, and as a file."""

from __future__ import annotations

import pytest
from django.test import Client

from quarterdeck.audit.models import AuditEvent
from quarterdeck.core.clock import now
from quarterdeck.inventory.models import Item
from quarterdeck.jobs.terminals import output
from quarterdeck.jobs.terminals.models import TerminalSession, TerminalState


@pytest.fixture
def others(web1: Item) -> TerminalSession:
    """A terminal that somebody else has open."""
    at = now()
    return TerminalSession.objects.create(
        item=web1, name=web1.name, state=TerminalState.OPEN, created_at=at, opened_at=at, beat_at=at,
        actor="mate", actor_kind="user", actor_id="0",
    )  # fmt: skip


def test_who_watches_before_anything_is_recorded_is_in_the_audit_log_once(
    as_owner: Client, others: TerminalSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "blocks", lambda _session, _after: [])
    place = ""
    for _poll in range(3):
        piece = as_owner.get(f"/terminals/{others.pk}/events", {"next": place}).json()
        assert (piece["events"], piece["is_more"], piece["is_ended"]) == ("", False, False)
        place = piece["next"]
    assert AuditEvent.objects.filter(verb="jobs.terminal.watch").count() == 1


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("web1", 'attachment; filename="terminal-{pk}-web1.cast"'),
        ('a"b/../c\x1b', 'attachment; filename="terminal-{pk}-a\\"b_.._c_.cast"'),
        ("中", "attachment; filename*=utf-8''terminal-{pk}-%E4%B8%AD.cast"),
    ],
)
def test_a_recordings_file_has_the_hosts_name(
    as_owner: Client, others: TerminalSession, monkeypatch: pytest.MonkeyPatch, name: str, said: str
) -> None:
    monkeypatch.setattr(output, "cast", lambda _session: iter([b"{}\n"]))
    TerminalSession.objects.filter(pk=others.pk).update(name=name)
    answer = as_owner.get(f"/terminals/{others.pk}/download")
    assert answer["Content-Disposition"] == said.format(pk=others.pk)
