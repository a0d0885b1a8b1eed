"""`python -m tests.audit.appender COUNT`: append so many events to the instance of QD_DATA, every third rolled back."""

from __future__ import annotations

import sys

import django


def main(count: int) -> None:
    django.setup()
    from django.db import transaction

    from quarterdeck.audit.actions import record
    from quarterdeck.audit.actor import SYSTEM

    for number in range(count):
        with transaction.atomic():
            record(SYSTEM, "test.append", ("item", str(number), "web1"))
            transaction.set_rollback(number % 3 == 2)


if __name__ == "__main__":
    main(int(sys.argv[1]))
