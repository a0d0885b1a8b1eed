"""What an action records is appended when it ends, and undone with it. Many processes at once: `test_processes`."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, connection, transaction
from tests.audit.conftest import ALICE
from tests.audit.tampering import sql

from quarterdeck.audit.actions import record
from quarterdeck.audit.appending import gathered
from quarterdeck.audit.models import AuditEvent
from quarterdeck.audit.queries import verify


@pytest.mark.django_db(transaction=True)
def test_the_guard_is_back_after_the_tables_were_emptied() -> None:
    record(ALICE, "inventory.update")
    with pytest.raises(DatabaseError, match="append-only"), connection.cursor() as cursor:
        cursor.execute("DELETE FROM audit_auditevent")


@pytest.mark.django_db
def test_gathered_events_are_appended_at_the_end_in_order() -> None:
    with transaction.atomic(), gathered():
        first, second = record(ALICE, "one"), record(ALICE, "two")
        assert not AuditEvent.objects.exists()
    assert second.seq == first.seq + 1
    assert list(AuditEvent.objects.order_by("seq").values_list("verb", flat=True)) == ["one", "two"]
    assert verify().ok


@pytest.mark.django_db
def test_gathered_events_vanish_with_the_exception() -> None:
    with pytest.raises(ZeroDivisionError):
        _gather_and_fail()
    assert not AuditEvent.objects.exists()
    assert verify().ok


def _gather_and_fail() -> None:
    with transaction.atomic(), gathered():
        record(ALICE, "lost")
        raise ZeroDivisionError


@pytest.mark.django_db
def test_an_inner_failure_that_is_caught_takes_only_its_own_events() -> None:
    with transaction.atomic(), gathered():
        record(ALICE, "before")
        with pytest.raises(ZeroDivisionError):
            _gather_and_fail()
        record(ALICE, "after")
    assert list(AuditEvent.objects.order_by("seq").values_list("verb", flat=True)) == ["before", "after"]


@pytest.mark.django_db
def test_a_savepoint_that_is_undone_takes_its_events_along() -> None:
    with transaction.atomic(), gathered():
        record(ALICE, "kept")
        with transaction.atomic():
            record(ALICE, "undone")
            with transaction.atomic(), gathered():
                record(ALICE, "undone too")
            transaction.set_rollback(True)
    assert list(AuditEvent.objects.values_list("verb", flat=True)) == ["kept"]
    assert verify().ok


@pytest.mark.django_db
def test_the_row_of_the_chains_end_is_missed(log: list[AuditEvent]) -> None:
    sql("DELETE FROM audit_chainhead")
    verdict = verify()
    assert (verdict.ok, verdict.first_bad_seq) == (False, log[-1].seq)
