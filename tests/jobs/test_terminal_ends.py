"""Terminals on items that go while they are open, and the sweep that ends what nobody serves any more."""

from __future__ import annotations

import pytest

from quarterdeck.audit.actor import Actor
from quarterdeck.core.clock import now
from quarterdeck.inventory import actions as inventory
from quarterdeck.inventory.models import Item, TimelineEvent
from quarterdeck.jobs import tasks
from quarterdeck.jobs.runs import approving, claiming
from quarterdeck.jobs.terminals import actions
from quarterdeck.jobs.terminals.keeping import Kept, Recording, _beaten
from quarterdeck.jobs.terminals.models import End, TerminalSession, TerminalState


@pytest.fixture
def item(owner: Actor) -> Item:
    return inventory.create_item(owner, "host", "web1", {"env": "prod"})


@pytest.fixture
def session(owner: Actor, item: Item) -> TerminalSession:
    """One that is open, as whoever serves it has it in memory."""
    at = now()
    return TerminalSession.objects.create(
        item=item, name=item.name, state=TerminalState.OPEN, created_at=at, opened_at=at, beat_at=at,
        actor=owner.name, actor_kind=owner.kind.value, actor_id=owner.id,
    )  # fmt: skip


def ends(owner: Actor, session: TerminalSession) -> dict[int, End]:
    return _beaten([Kept(owner, session, lambda _end: None, Recording(session.pk))], asks_rights=True)


def test_the_end_is_on_the_items_timeline(session: TerminalSession, item: Item) -> None:
    assert actions.end_session(session, End.EXITED)
    assert TimelineEvent.objects.filter(item=item, kind="terminal.ended").count() == 1
    assert not actions.end_session(session, End.LOST)


def test_one_whose_item_was_purged_ends_all_the_same(owner: Actor, session: TerminalSession, item: Item) -> None:
    inventory.trash(owner, [item.pk])
    inventory.purge(owner, [item.pk])
    assert session.item_id, "whoever serves it does not know"
    assert actions.end_session(session, End.WITHDRAWN)
    session.refresh_from_db()
    assert (session.state, session.end, session.item_id) == ("ended", "withdrawn", None)
    assert not TimelineEvent.objects.filter(kind="terminal.ended").exists()


def test_it_goes_on_while_its_item_is_in_the_inventory(owner: Actor, session: TerminalSession, item: Item) -> None:
    assert ends(owner, session) == {}
    inventory.trash(owner, [item.pk])
    assert ends(owner, session) == {session.pk: End.WITHDRAWN}
    inventory.purge(owner, [item.pk])
    assert ends(owner, session) == {session.pk: End.WITHDRAWN}


def test_a_part_of_the_sweep_that_is_in_trouble_does_not_keep_the_others(
    session: TerminalSession, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def trouble() -> None:
        raise RuntimeError("trouble")

    for module, name in ((claiming, "sweep"), (approving, "refuse_old"), (claiming, "not_searchable")):
        monkeypatch.setattr(module, name, trouble)
    TerminalSession.objects.filter(pk=session.pk).update(state=TerminalState.WAITING, created_at="2020-01-01T00:00Z")
    tasks.sweep()
    session.refresh_from_db()
    assert (session.state, session.end) == ("ended", "left")
    assert caplog.text.count("RuntimeError: trouble") == 3
