"""The inventory at size: import, unchanged re-sync, lists, filters, search, graph; and per-object saving beside it.

    python -m benchmarks.inventory --items 100000                       SQLite in a temporary directory
    python -m benchmarks.inventory --items 1000000 --database URL       PostgreSQL, an empty database

Validation, history and audit are on. The peer is what Django applications usually do, NetBox among them: one save per
object with a uniqueness query before and a change record after it, here with plain JSON and without validation.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quarterdeck.inventory.found import Found

ENVS = ("prod", "staging", "test", "dev")
ROLES = ("web", "api", "db", "cache", "queue", "batch", "edge", "build")
SYSTEMS = (("debian", "12"), ("debian", "13"), ("ubuntu", "24.04"), ("rocky", "9"), ("openeuler", "24.03"))
PLACES = ("北京", "上海", "frankfurt", "virginia", "singapore")
CALLS = 40


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


def timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def p95_ms(calls: list[Callable[[], object]]) -> float:
    """Return the 95th percentile of the calls' times in milliseconds, the first one left out as warm-up."""
    calls[0]()
    return statistics.quantiles([timed(call) * 1000 for call in calls], n=20)[-1]


def report(what: str, value: float, unit: str, goal: float, *, higher_is_better: bool) -> None:
    met = value >= goal if higher_is_better else value <= goal
    print(f"{what:<46}{value:>12,.1f} {unit:<8} goal {goal:>8,.0f}  {'met' if met else 'MISSED'}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--database", default="", help="URL of an empty PostgreSQL database; SQLite without it")
    arguments = parser.parse_args()
    data = tempfile.mkdtemp(prefix="quarterdeck-bench-")
    os.environ.update(QD_DATA=data, DJANGO_SETTINGS_MODULE="quarterdeck.conf.settings")
    os.environ["QD_DATABASE_URL"] = arguments.database
    try:
        run(arguments.items, is_postgresql=bool(arguments.database))
    finally:
        shutil.rmtree(data, ignore_errors=True)


def run(count: int, *, is_postgresql: bool) -> None:
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    print(f"{count:,} items of 25 attributes on {'PostgreSQL' if is_postgresql else 'SQLite'}", flush=True)
    ours = measure_writes(count, is_postgresql)
    measure_reads(count)
    peer = measure_peer(min(count, 2_000))
    print(f"{'peer: one save per object':<46}{peer:>12,.1f} items/s   import is {ours / peer:,.1f} times as fast")


def measure_writes(count: int, is_postgresql: bool) -> float:
    from quarterdeck.audit.actor import SYSTEM
    from quarterdeck.inventory.actions import apply
    from quarterdeck.inventory.models import Change

    batch = list(hosts(count))
    rate = count / timed(lambda: apply(SYSTEM, batch, "cloud", scope="acc", complete=True))
    report("first import", rate, "items/s", 1_000 if is_postgresql else 1_500, higher_is_better=True)
    before = Change.objects.count()
    again = count / timed(lambda: apply(SYSTEM, batch, "cloud", scope="acc", complete=True))
    report("unchanged re-sync", again, "items/s", 10_000, higher_is_better=True)
    report("history rows of the unchanged re-sync", Change.objects.count() - before, "rows", 0, higher_is_better=False)
    return rate


def measure_reads(count: int) -> None:
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
        return [lambda q=text: queries.page(queries.items(SYSTEM, q), "", 50) for text in texts for _n in range(8)]  # type: ignore[misc]

    for sort in ("name", "-last_seen"):
        report(
            f"list page of 50 at any depth, by {sort}, p95",
            p95_ms(pages(sort, count // 1000)),
            "ms",
            100,
            higher_is_better=False,
        )
    three = lists(
        "os_name:debian cpu_count:>=16 role:web",
        "env:prod os_version:12 memory_bytes:>=32G",
        "region:上海 role:(web OR api) cpu_count:8",
        "ip:10.0.7.0/24 os_name:deb* env:prod",
    )
    report("three-attribute filter, p95", p95_ms(three), "ms", 150, higher_is_better=False)
    words = (
        "web",
        "db-0000",
        "example",
        "上海",
        "debian",
        f"S{count // 2:09d}",
        "10.0.7.9",
        "web 北京",
        "nothing-like-it",
    )
    search = [lambda w=word: queries.search(SYSTEM, w) for word in words for _n in range(5)]  # type: ignore[misc]
    report("global search, p95", p95_ms(search), "ms", 300, higher_is_better=False)
    text = lists("web", "上海 debian", '"web 000"', "example -role:db")
    report("full text in a list, p95", p95_ms(text), "ms", 300, higher_is_better=False)
    measure_graph()


def measure_graph() -> None:
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
    report(f"graph of {len(found.nodes)} nodes, p95", p95_ms(calls), "ms", 500, higher_is_better=False)


def measure_peer(count: int) -> float:
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
                    lifecycle_at=at, first_seen=at, last_seen=at, updated_at=at,
                )  # fmt: skip
                change_set = ChangeSet.objects.create(at=at, actor="peer", actor_kind="system", source="peer")
                Change.objects.create(change_set=change_set, item=item, field="", new=dict(found.attributes))

    return count / timed(save_each)


if __name__ == "__main__":
    main()
