"""Whatever is done to the log behind the product's back is found, and the first bad record named."""

from __future__ import annotations

from collections.abc import Callable

import orjson
import pytest
from django.db import DatabaseError, connection, transaction
from django.db.models import Max
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from tests.audit.conftest import ALICE
from tests.audit.tampering import drop_guard, sql

from quarterdeck.audit import chain
from quarterdeck.audit.actions import record
from quarterdeck.audit.checkpoints import checkpoint, folder
from quarterdeck.audit.models import AuditEvent
from quarterdeck.audit.queries import verify

# Other columns are hashed with these by the same loop: one of each type is enough to see that it looks at all.
EDITS = {
    "actor_name": "mallory",
    "actor_id": "8",
    "at_us": 1,
    "verb": "inventory.view",
    "object_name": "db1",
    "after_json": '{"cpu":3}',
    "result": "denied",
    "source_ip": "198.51.100.1",
    "reason": "because",
    "uuid": "0" * 32,
}


def last_seq() -> int:
    return AuditEvent.objects.aggregate(last=Max("seq"))["last"]


def first(log: list[AuditEvent]) -> int:
    return log[0].seq


def test_an_untouched_log_is_whole(log: list[AuditEvent]) -> None:
    verdict = verify()
    assert (verdict.ok, verdict.checked, verdict.first_bad_seq) == (True, len(log), None)


def test_an_empty_log_is_whole(db: None) -> None:
    assert verify().ok


@pytest.mark.parametrize("column", EDITS)
def test_it_names_an_edited_record(log: list[AuditEvent], column: str) -> None:
    drop_guard()
    sql(f"UPDATE audit_auditevent SET {column} = %s WHERE seq = %s", EDITS[column], log[3].seq)
    verdict = verify()
    assert (verdict.ok, verdict.first_bad_seq, verdict.checked) == (False, log[3].seq, 3)
    assert "edited" in verdict.reason


def test_it_names_the_first_of_several(log: list[AuditEvent]) -> None:
    drop_guard()
    for event in (log[8], log[2], log[5]):
        sql("UPDATE audit_auditevent SET detail = 'nothing happened' WHERE seq = %s", event.seq)
    assert verify().first_bad_seq == log[2].seq


def test_it_names_a_removed_record(log: list[AuditEvent]) -> None:
    drop_guard()
    sql("DELETE FROM audit_auditevent WHERE seq = %s", log[4].seq)
    verdict = verify()
    assert verdict.first_bad_seq == log[4].seq
    assert "removed" in verdict.reason


def test_it_names_the_first_record_when_it_was_removed(log: list[AuditEvent]) -> None:
    drop_guard()
    sql("DELETE FROM audit_auditevent WHERE seq = %s", first(log))
    assert verify().first_bad_seq == first(log)


def test_it_finds_two_records_that_changed_places(log: list[AuditEvent]) -> None:
    drop_guard()
    earlier, later = log[4].seq, log[5].seq
    for old, new in ((earlier, 10_000), (later, earlier), (10_000, later)):
        sql("UPDATE audit_auditevent SET seq = %s WHERE seq = %s", new, old)
    assert verify().first_bad_seq == earlier


def test_it_finds_a_removed_record_when_the_rest_moved_up(log: list[AuditEvent]) -> None:
    drop_guard()
    sql("DELETE FROM audit_auditevent WHERE seq = %s", log[4].seq)
    for event in log[5:]:
        sql("UPDATE audit_auditevent SET seq = seq - 1 WHERE seq = %s", event.seq)
    assert verify().first_bad_seq == log[4].seq


def test_it_finds_a_cut_off_end(log: list[AuditEvent]) -> None:
    drop_guard()
    sql("DELETE FROM audit_auditevent WHERE seq > %s", log[6].seq)
    verdict = verify()
    assert verdict.first_bad_seq == log[7].seq
    assert "cut off" in verdict.reason


def test_a_checkpoint_finds_an_end_that_was_cut_off_with_the_chains_head(log: list[AuditEvent]) -> None:
    assert checkpoint() is not None
    drop_guard()
    sql("DELETE FROM audit_auditevent WHERE seq > %s", log[6].seq)
    sql("DELETE FROM audit_checkpoint")
    sql("UPDATE audit_chainhead SET seq = %s, hash = %s", log[6].seq, log[6].hash)
    verdict = verify()
    assert (verdict.ok, verdict.first_bad_seq) == (False, log[7].seq)


def _forge_from(seq: int) -> None:
    """What the holder of the chain's key can do: edit one record and hash everything after it anew."""
    previous = AuditEvent.objects.filter(seq=seq - 1).values_list("hash", flat=True).first() or chain.GENESIS
    for event in AuditEvent.objects.filter(seq__gte=seq).order_by("seq"):
        fields = {name: getattr(event, name) for name in chain.HASHED_FIELDS}
        fresh = chain.link(previous, fields)
        sql("UPDATE audit_auditevent SET prev_hash = %s, hash = %s WHERE seq = %s", previous, fresh, event.seq)
        previous = fresh
    sql("UPDATE audit_chainhead SET hash = %s", previous)


def test_a_checkpoint_finds_history_rewritten_with_the_chains_own_key(log: list[AuditEvent]) -> None:
    checkpoint()
    drop_guard()
    sql("UPDATE audit_auditevent SET actor_name = 'mallory' WHERE seq = %s", log[3].seq)
    _forge_from(log[3].seq)
    verdict = verify()
    assert not verdict.ok
    assert "checkpoint" in verdict.reason


def test_the_rewritten_history_is_whole_without_the_checkpoint(log: list[AuditEvent]) -> None:
    """The forgery of the test above is a good one: nothing but the checkpoint finds it."""
    drop_guard()
    sql("UPDATE audit_auditevent SET actor_name = 'mallory' WHERE seq = %s", log[3].seq)
    _forge_from(log[3].seq)
    assert verify().ok


def test_it_finds_an_edited_checkpoint_file(log: list[AuditEvent]) -> None:
    checkpoint()
    path = folder() / "checkpoints.jsonl"
    statement = orjson.loads(path.read_bytes())
    path.write_bytes(orjson.dumps({**statement, "seq": statement["seq"] - 1}) + b"\n")
    verdict = verify()
    assert not verdict.ok
    assert "signature" in verdict.reason


def test_a_rolled_back_change_takes_its_record_along_and_leaves_no_gap(log: list[AuditEvent]) -> None:
    with transaction.atomic():
        record(ALICE, "inventory.update", ("item", "1", "web1"))
        transaction.set_rollback(True)
    after = record(ALICE, "inventory.update", ("item", "2", "web2"))
    assert after.seq == log[-1].seq + 1
    assert verify().ok


def _is_refused(statement: str) -> None:
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        sql(statement)


REFUSED: dict[str, Callable[[], str]] = {
    "update": lambda: "UPDATE audit_auditevent SET detail = 'x'",
    "delete": lambda: "DELETE FROM audit_auditevent",
    "delete the newest": lambda: f"DELETE FROM audit_auditevent WHERE seq = {last_seq()}",
    "update nothing but the hash": lambda: "UPDATE audit_auditevent SET hash = hash",
}
if connection.vendor == "postgresql":  # SQLite has no TRUNCATE
    REFUSED["truncate"] = lambda: "TRUNCATE audit_auditevent"


@pytest.mark.parametrize("attempt", REFUSED)
def test_the_database_refuses_to(log: list[AuditEvent], attempt: str) -> None:
    _is_refused(REFUSED[attempt]())
    assert verify().ok


class AnyContent(TestCase):
    """Whatever an event holds, what was hashed is what the database gives back."""

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        detail=st.text(),
        name=st.text(max_size=300),
        values=st.dictionaries(
            st.text(max_size=20),
            st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers()),
            max_size=5,
        ),
    )
    def test_it_stays_verifiable(self, detail: str, name: str, values: dict[str, object]) -> None:
        record(ALICE, "inventory.update", ("item", "1", name), detail, before=values, after=values, error=detail)
        verdict = verify()
        assert verdict.ok, verdict
