"""The audit log: events appended and verified per second, beside the same insert without a chain.

The peer is what audit packages do, django-auditlog among them: one `LogEntry.objects.create` for each change, in the
change's transaction, with nothing that shows tampering. Here it is our own table's columns in a table of their own.
Every append is a transaction of its own, on a SQLite file with the product's settings.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from typing import Any

APPENDS = 5_000
TOGETHER = 100
VERIFIED = 100_000


def _per_second(count: int, work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return count / (time.perf_counter() - began)


def _append_each(count: int) -> None:
    from quarterdeck.audit.actions import record
    from quarterdeck.audit.actor import SYSTEM

    for number in range(count):
        record(SYSTEM, "inventory.update", ("item", str(number), "web1"), before={"cpu": 1}, after={"cpu": 2})


def _append_together(count: int) -> None:
    from django.db import transaction

    from quarterdeck.audit.appending import gathered

    for _ in range(count // TOGETHER):
        with transaction.atomic(), gathered():
            _append_each(TOGETHER)


def _log_entry() -> type[Any]:
    """The peer's table, with django-auditlog's columns; made late because models need Django set up."""
    from django.db import models

    class LogEntry(models.Model):
        actor = models.CharField(max_length=150)
        action = models.CharField(max_length=64)
        object_pk = models.CharField(max_length=255, db_index=True)
        object_repr = models.TextField()
        changes = models.JSONField()
        remote_addr = models.GenericIPAddressField(null=True)
        timestamp = models.DateTimeField(auto_now_add=True, db_index=True)

        class Meta:
            app_label = "audit"

    return LogEntry


def _insert_each(log_entry: type[Any], count: int) -> None:
    from django.db import transaction

    for number in range(count):
        with transaction.atomic():
            log_entry.objects.create(
                actor="system", action="update", object_repr="web1", object_pk=str(number), changes={"cpu": [1, 2]}
            )


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="quarterdeck-bench-") as data:
        os.environ.update(QD_DATA=data, DJANGO_SETTINGS_MODULE="quarterdeck.conf.settings")
        import django

        django.setup()
        _measure()


def _measure() -> None:
    from django.core.management import call_command
    from django.db import connection

    from quarterdeck.audit.queries import verify

    call_command("migrate", verbosity=0)
    log_entry = _log_entry()
    with connection.schema_editor() as editor:
        editor.create_model(log_entry)
    _append_each(200)
    ours = _per_second(APPENDS, lambda: _append_each(APPENDS))
    peer = _per_second(APPENDS, lambda: _insert_each(log_entry, APPENDS))
    print(f"append, one a transaction: {ours:9,.0f} events/s; without a chain {peer:,.0f}/s; ratio {ours / peer:.2f}")
    rest = VERIFIED - APPENDS - 200
    together = _per_second(rest, lambda: _append_together(rest))
    print(f"append, {TOGETHER} a transaction: {together:9,.0f} events/s; ratio {together / peer:.2f}")
    checked = verify().checked
    rate = _per_second(checked, verify)
    print(f"verify: {rate:9,.0f} events/s over {checked:,} events; ratio to the peer's insert {rate / peer:.1f}")


if __name__ == "__main__":
    main()
