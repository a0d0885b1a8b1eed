"""Ansible's inventory of a large fleet: `quarterdeck inventory --list` beside ansible-inventory on an equal INI file.

    python -m benchmarks.ansible_inventory --hosts 30000

Both print the same hosts with the same variables and groups as JSON, each in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.inventory import hosts

BIN = Path(sys.executable).parent
GOAL_SECONDS = 10


def fill(count: int) -> None:
    """Make the inventory in QD_DATA."""
    import django

    django.setup()
    from django.core.management import call_command

    from quarterdeck.audit.actor import SYSTEM
    from quarterdeck.inventory.actions import apply

    call_command("migrate", verbosity=0)
    apply(SYSTEM, list(hosts(count)), "benchmark")


def write_static_file(path: Path) -> None:
    """Write the same hosts as INI, by the product's own export."""
    from quarterdeck.audit.actor import SYSTEM
    from quarterdeck.inventory.exchange.exporting import export

    with path.open("wb") as file:
        export(SYSTEM, "type:host", "ansible_ini", file)


def run(*command: str | Path) -> tuple[float, int]:
    """Return the seconds that a command takes, and how many hosts it lists."""
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, check=True)
    seconds = time.perf_counter() - began
    return seconds, len(json.loads(done.stdout)["_meta"]["hostvars"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, default=30_000)
    count: int = parser.parse_args().hosts
    directory = Path(tempfile.mkdtemp(prefix="qd-bench-"))
    for name in [name for name in os.environ if name.startswith("QD_")]:
        del os.environ[name]
    os.environ.update(QD_DATA=str(directory / "data"), DJANGO_SETTINGS_MODULE="quarterdeck.conf.settings")
    os.environ.update(ANSIBLE_HOME=str(directory), ANSIBLE_LOCALHOST_WARNING="0")
    try:
        fill(count)
        write_static_file(directory / "hosts.ini")
        ours, listed = run(BIN / "quarterdeck", "inventory", "--list")
        theirs, known = run(BIN / "ansible-inventory", "-i", directory / "hosts.ini", "--list")
    finally:
        shutil.rmtree(directory)
    if not listed == known == count:
        sys.exit(f"the two disagree: {listed} and {known} of {count} hosts")
    print(f"{count} hosts with variables and groups")
    verdict = "met" if ours < GOAL_SECONDS else "MISSED"
    print(f"  quarterdeck inventory --list      {ours:8.2f} s   goal {GOAL_SECONDS} s  {verdict}")
    print(f"  ansible-inventory, static INI     {theirs:8.2f} s   ratio {theirs / ours:.1f}")


if __name__ == "__main__":
    main()
