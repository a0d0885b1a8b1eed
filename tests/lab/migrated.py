"""Records as the migrations leave them: made once in a run of the tests, and what a fresh instance begins with.

Migrating costs each start 2.5 s of CPU. Tests of the first start itself, of starts that compete and of restoring begin
without: they make an `Instance` of an empty directory.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

# In the environment, as the workers of pytest-xdist are to find what the first of them made. The migrations cannot
# change meanwhile: the directory lives as long as the run.
_DIRECTORY = "TESTS_OF_THIS_RUN"


def begin_run() -> Path:
    """Return the run's directory; whoever comes first makes it, and takes it along when it ends."""
    if _DIRECTORY not in os.environ:
        os.environ[_DIRECTORY] = tempfile.mkdtemp(prefix="quarterdeck-tests-")
        atexit.register(shutil.rmtree, os.environ[_DIRECTORY], ignore_errors=True)
    return Path(os.environ[_DIRECTORY])


def place_records(data: Path) -> None:
    """Make the data directory of an instance that has not started yet, with migrated records in it."""
    data.mkdir(parents=True, mode=0o700)
    shutil.copyfile(_migrated(), data / "records.sqlite3")


def _migrated() -> Path:
    home = begin_run()
    made = home / "records.sqlite3"
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            _migrate(home / "making")
            # One file, whole: what is in the log of writes goes into it.
            with closing(sqlite3.connect(home / "making" / "records.sqlite3")) as database:
                database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            (home / "making" / "records.sqlite3").rename(made)
    return made


def _migrate(data: Path) -> None:
    data.mkdir()
    clean = {name: value for name, value in os.environ.items() if not name.startswith("QD_")}
    environment = {**clean, "QD_DATA": str(data), "DJANGO_SETTINGS_MODULE": "quarterdeck.conf.settings"}
    subprocess.run([sys.executable, "-m", "django", "migrate", "--verbosity=0"], check=True, env=environment)
