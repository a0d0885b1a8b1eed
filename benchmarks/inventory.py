"""The inventory at size: import, unchanged re-sync, lists, filters, search, graph; and per-object saving beside it.

    python -m benchmarks.inventory --items 100000                       SQLite in a temporary directory
    python -m benchmarks.inventory --items 1000000 --postgresql         a PostgreSQL server of its own, set up as below
    python -m benchmarks.inventory --items 1000000 --database URL       PostgreSQL, an empty database

Validation, history and audit are on. Beside each figure stands the processor time, of the server's processes too where
they run on this machine: on one that is busy with other work, it tells a slow program from a late one. A million items
take 5 GB of memory here (the hosts are made beforehand) and 10 GB of disk.

The peer is what Django applications usually do, NetBox among them: one save per object with a uniqueness query before
and a change record after it, here with plain JSON and without validation.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import psutil

from benchmarks._meter import Meter, report

if TYPE_CHECKING:
    from quarterdeck.inventory.found import Found

ENVS = ("prod", "staging", "test", "dev")
ROLES = ("web", "api", "db", "cache", "queue", "batch", "edge", "build")
SYSTEMS = (("debian", "12"), ("debian", "13"), ("ubuntu", "24.04"), ("rocky", "9"), ("openeuler", "24.03"))
PLACES = ("北京", "上海", "frankfurt", "virginia", "singapore")
CALLS = 40
THREE_ATTRIBUTES = (
    "os_name:debian cpu_count:>=16 role:web",
    "env:prod os_version:12 memory_bytes:>=32G",
    "region:上海 role:(web OR api) cpu_count:8",
    "ip:10.0.7.0/24 os_name:deb* env:prod",
)
# A quarter of 8 GB, durable commits, a solid-state disk: what PostgreSQL's manual advises for a server of that size.
POSTGRESQL = {
    "fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "wal_compression": "on",
    "shared_buffers": "2GB", "effective_cache_size": "6GB", "work_mem": "32MB", "maintenance_work_mem": "512MB",
    "max_wal_size": "8GB", "checkpoint_timeout": "15min", "random_page_cost": "1.1",
}  # fmt: skip


def hosts(count: int, seed: int = 7) -> Iterator[Found]:
    """Yield hosts of 25 attributes; 14 of them are indexed."""
    from quarterdeck.inventory.found import Found

    dice = random.Random(seed)
    for number in range(count):
        name, version = dice.choice(SYSTEMS)
        role, place = dice.choice(ROLES), dice.choice(PLACES)
        address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        yield Found(
            "host",
            f"i-{number:017x}",
            f"{role}-{number:06d}.{place}.example.com",
            {
                "form": "vm", "virtualization": "kvm", "vendor": "QEMU", "model": "Standard PC",
                "serial": f"S{number:09d}",
                "cpu_model": "Intel Xeon Platinum 8369B", "cpu_count": dice.choice((2, 4, 8, 16, 32)), "cpu_cores": 4,
                "memory_bytes": dice.choice((4, 8, 16, 32, 64)) << 30, "swap_bytes": 0, "os_family": "linux",
                "os_name": name, "os_version": version, "os_title": f"{name} {version}", "kernel": "6.1.0-25-amd64",
                "architecture": "x86_64", "fqdn": f"{role}-{number:06d}.example.com", "machine_id": f"{number:032x}",
                "instance_type": "ecs.g7.xlarge", "zone": f"{place}-a", "boot_time": "2026-05-01T08:00:00Z",
                "time_zone": "UTC", "ip_addresses": [address], "ssh_port": 22, "notes": f"batch {number % 97}",
            },
            identities=[("provider_id", f"cloud:acc:{place}:i-{number:017x}"), ("machine_id", f"{number:032x}")],
            labels={"role": role},
            env=dice.choice(ENVS), provider="cloud", account="acc", region=place, primary_ip=address, state="running",
            relations=[],
        )  # fmt: skip


def words_of(count: int) -> tuple[str, ...]:
    """Return what people search for: frequent and rare words, a serial number, an address, nothing."""
    half = f"S{count // 2:09d}"
    return ("web", "db-0000", "example", "上海", "debian", half, "10.0.7.9", "web 北京", "nothing-like-it")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--database", default="", help="URL of an empty PostgreSQL database; SQLite without it")
    parser.add_argument("--postgresql", action="store_true", help="start a PostgreSQL server for the run")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        data = tempfile.mkdtemp(prefix="quarterdeck-bench-")
        stack.callback(shutil.rmtree, data, ignore_errors=True)
        url = arguments.database
        if arguments.postgresql:
            from tests.lab.postgres import postgres

            url = stack.enter_context(postgres(POSTGRESQL))
        os.environ.update(QD_DATA=data, DJANGO_SETTINGS_MODULE="quarterdeck.conf.settings", QD_DATABASE_URL=url)
        run(arguments.items)


def run(count: int) -> None:
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    print(f"{count:,} items of 25 attributes on {connection.display_name}", flush=True)
    meter = Meter(_server())
    ours = measure_writes(count, meter)
    measure_reads(count, meter)
    measure_graph(meter)
    peer = measure_peer(min(count, 2_000), meter)
    print(f"{'peer: one save per object':<46}{peer:>12,.1f} items/s   import is {ours / peer:,.1f} times as fast")


def _server() -> psutil.Process | None:
    """Return PostgreSQL's main process where it runs on this machine."""
    from django.db import connection

    if connection.vendor != "postgresql" or connection.settings_dict["HOST"] not in ("127.0.0.1", "localhost"):
        return None
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return psutil.Process(cursor.fetchone()[0]).parent()


def measure_writes(count: int, meter: Meter) -> float:
    from django.db import connection

    from quarterdeck.audit.actor import SYSTEM
    from quarterdeck.inventory.actions import apply
    from quarterdeck.inventory.models import Change

    batch = list(hosts(count))

    def imported(what: str, goal: float) -> float:
        spent = meter.spent(lambda: apply(SYSTEM, batch, "cloud", scope="acc", complete=True))
        cpu = f"CPU {spent.cpu / count * 1e6:,.0f} us an item"
        report(what, count / spent.wall, "items/s", goal, cpu, higher_is_better=True)
        return count / spent.wall

    rate = imported("first import", 1_500 if connection.vendor == "sqlite" else 1_000)
    before = Change.objects.count()
    imported("unchanged re-sync", 10_000)
    report("history rows of the unchanged re-sync", Change.objects.count() - before, "rows", 0)
    return rate


def report_p95(what: str, calls: list[Callable[[], object]], goal_ms: float, meter: Meter) -> None:
    spent = meter.p95(calls)
    report(f"{what}, p95", spent.wall * 1000, "ms", goal_ms, f"CPU {spent.cpu * 1000:,.1f} ms on average")


def measure_reads(count: int, meter: Meter) -> None:
    from quarterdeck.audit.actor import SYSTEM
    from quarterdeck.inventory import queries

    def pages(sort: str, pages_deep: int) -> list[Callable[[], object]]:
        cursors: list[str] = [""]
        for _page in range(pages_deep):
            _rows, cursor = queries.page(queries.items(SYSTEM, "", sort), cursors[-1], 1000)
            if cursor is None:
                break
            cursors.append(cursor)
        chosen = cursors[:: max(1, len(cursors) // CALLS)]
        return [lambda at=cursor: queries.page(queries.items(SYSTEM, "", sort), at, 50) for cursor in chosen]  # type: ignore[misc]

    def lists(*texts: str) -> list[Callable[[], object]]:
        return [lambda q=text: queries.page(queries.items(SYSTEM, q), "", 50) for text in texts for _n in range(21)]  # type: ignore[misc]

    for sort in ("name", "-last_seen"):
        report_p95(f"list page of 50 at any depth, by {sort}", pages(sort, count // 1000), 100, meter)
    for text in THREE_ATTRIBUTES:
        report_p95(text, lists(text), 150, meter)
    search = [lambda w=word: queries.search(SYSTEM, w) for word in words_of(count) for _n in range(5)]  # type: ignore[misc]
    report_p95("global search", search, 300, meter)
    report_p95("full text in a list", lists("web", "上海 debian", '"web 000"', "example -role:db"), 300, meter)


def measure_graph(meter: Meter) -> None:
    from quarterdeck.audit.actor import SYSTEM
    from quarterdeck.inventory import queries
    from quarterdeck.inventory.actions import apply
    from quarterdeck.inventory.found import Found

    tree = [
        Found(
            "service", f"s{n}", f"service-{n}", relations=[("depends_on", "service", f"s{(n - 1) // 8}")] if n else []
        )
        for n in range(600)
    ]
    apply(SYSTEM, tree, "bench")
    root = queries.items(SYSTEM, "name:service-0 type:service").get()
    calls: list[Callable[[], object]] = [lambda: queries.graph(SYSTEM, root, depth=4, nodes=500)] * 20
    found = queries.graph(SYSTEM, root, depth=4, nodes=500)
    report_p95(f"graph of {len(found.nodes)} nodes", calls, 500, meter)


def measure_peer(count: int, meter: Meter) -> float:
    """Return items per second of one save per object, each in its transaction, as a request per object makes it."""
    from django.db import transaction

    from quarterdeck.core.clock import now
    from quarterdeck.inventory.models import Change, ChangeSet, Item, ItemType

    host = ItemType.objects.get(code="host")
    rows = list(hosts(count, seed=8))

    def save_each() -> None:
        for found in rows:
            with transaction.atomic():
                at = now()
                Item.objects.filter(type=host, name=f"peer-{found.name}").exists()
                item = Item.objects.create(
                    type=host, name=f"peer-{found.name}", attributes=dict(found.attributes), labels=dict(found.labels),
                    lifecycle_at=at, first_seen=at, updated_at=at,
                )  # fmt: skip
                change_set = ChangeSet.objects.create(at=at, actor="peer", actor_kind="system", source="peer")
                Change.objects.create(change_set=change_set, item=item, field="", new=dict(found.attributes))

    return count / meter.spent(save_each).wall


if __name__ == "__main__":
    main()
