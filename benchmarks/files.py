"""Files in and out: import, repeated import and export of each format, beside plain libraries that only parse.

    python -m benchmarks.files --rows 10000

Validation, history and audit are on. The peer only parses: `csv`, `openpyxl` and `json` into lists of dictionaries.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.inventory import hosts

GOAL_SECONDS = 15


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    result = call()
    return time.perf_counter() - began, result


def write_csv(path: Path, count: int) -> None:
    rows = [
        {"name": one.name, "primary_ip": one.primary_ip, "env": one.env, "label.role": one.labels["role"]}
        | {code: json.dumps(value) if isinstance(value, list) else value for code, value in one.attributes.items()}
        for one in hosts(count)
    ]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _plain_csv(path: Path) -> int:
    with path.open(newline="") as file:
        return len(list(csv.DictReader(file)))


def _plain_xlsx(path: Path) -> int:
    import openpyxl

    return len(list(openpyxl.load_workbook(path, read_only=True).worksheets[0].iter_rows(values_only=True)))


PEERS: dict[str, Callable[[Path], int]] = {
    "csv": _plain_csv,
    "xlsx": _plain_xlsx,
    "json": lambda path: len(json.loads(path.read_text())),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000)
    count: int = parser.parse_args().rows
    directory = Path(tempfile.mkdtemp(prefix="qd-bench-"))
    for name in [name for name in os.environ if name.startswith("QD_")]:
        del os.environ[name]
    os.environ.update(QD_DATA=str(directory / "data"), DJANGO_SETTINGS_MODULE="quarterdeck.conf.settings")
    try:
        measure(directory, count)
    finally:
        shutil.rmtree(directory)


def measure(directory: Path, count: int) -> None:
    import django

    django.setup()
    from django.core.management import call_command

    from quarterdeck.audit.actor import SYSTEM
    from quarterdeck.inventory.exchange.exporting import export
    from quarterdeck.inventory.exchange.importing import import_file

    call_command("migrate", verbosity=0)
    path = directory / "hosts.csv"
    write_csv(path, count)
    tried, result = timed(lambda: import_file(SYSTEM, path, type="host", dry_run=True))
    first, result = timed(lambda: import_file(SYSTEM, path, type="host"))
    if result != {"create": count, "update": 0, "unchanged": 0, "errors": []}:
        sys.exit(f"the import went wrong: {str(result)[:500]}")
    again, _result = timed(lambda: import_file(SYSTEM, path, type="host"))
    print(f"{count} rows of 28 columns, CSV")
    print(f"  dry run        {tried:8.2f} s")
    print(f"  first import   {first:8.2f} s   goal {GOAL_SECONDS} s  {'met' if first < GOAL_SECONDS else 'MISSED'}")
    print(f"  same again     {again:8.2f} s")
    print(f"{'format':<12}{'export s':>10}{'import s':>10}{'unchanged':>11}{'parse only s':>14}{'ratio':>8}")
    for name, suffix in (("csv", "csv"), ("xlsx", "xlsx"), ("json", "json"), ("yaml", "yaml"), ("ansible", "yml")):
        target = directory / f"export.{suffix}"
        with target.open("wb") as file:
            wrote, _count = timed(lambda: export(SYSTEM, "type:host", name, file))  # noqa: B023 - called at once
        read, result = timed(lambda: import_file(SYSTEM, target, format=name, type="host"))  # noqa: B023
        line = f"{name:<12}{wrote:>10.2f}{read:>10.2f}{result['unchanged']:>11}"
        if name in PEERS:
            plain, _rows = timed(lambda: PEERS[name](target))  # noqa: B023
            line += f"{plain:>14.2f}{read / plain:>8.1f}"
        print(line)
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
