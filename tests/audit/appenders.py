"""`python -m tests.audit.appenders PROCESSES EACH`: make the records of QD_DATA, append to them from processes at once.

They are forked from one that has loaded Django, as a worker's are; each has a connection of its own to the database.
Writes out what `verify` finds.
"""

from __future__ import annotations

import json
import os
import sys
import traceback

import django


def main(processes: int, each: int) -> None:
    django.setup()
    from django.core.management import call_command
    from django.db import connections

    from quarterdeck.audit.queries import verify

    call_command("migrate", verbosity=0)
    connections.close_all()
    running = [_forked(each) for _ in range(processes)]
    assert [os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) for process in running] == [0] * processes
    sys.stdout.write(json.dumps(verify().as_dict()))


def _forked(count: int) -> int:
    """Return the id of a process that appends, every third time in vain, and ends with 0 if all went well."""
    if process := os.fork():
        return process
    try:
        _append(count)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _append(count: int) -> None:
    from django.db import transaction

    from quarterdeck.audit.actions import record
    from quarterdeck.audit.actor import SYSTEM

    for number in range(count):
        with transaction.atomic():
            record(SYSTEM, "test.append", ("item", str(number), "web1"))
            transaction.set_rollback(number % 3 == 2)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
