"""Processes that append at once to one instance, on a SQLite file and on PostgreSQL; tampering past Django."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

pytestmark = pytest.mark.slow
PROCESSES, EACH = 4, 60
KEPT = PROCESSES * EACH * 2 // 3
_VERIFY = """
import django, json
django.setup()
from quarterdeck.audit.queries import verify
print(json.dumps(verify().as_dict()))
"""


class Instance:
    """An instance's records, used by processes of their own."""

    def __init__(self, data: Path, url: str) -> None:
        self.data = data
        self.environ = {**os.environ, "QD_DATA": str(data), "DJANGO_SETTINGS_MODULE": "quarterdeck.conf.settings"}
        self.environ.pop("QD_DATABASE_URL", None)
        if url:
            self.environ["QD_DATABASE_URL"] = url

    def run(self, *arguments: str) -> dict[str, object]:
        """Run Python with these arguments; return the verdict that it prints."""
        words = [sys.executable, *arguments]
        done = subprocess.run(words, env=self.environ, stdout=subprocess.PIPE, text=True, check=True, timeout=100)
        found: dict[str, object] = json.loads(done.stdout)
        return found

    def append_at_once(self) -> dict[str, object]:
        return self.run("-m", "tests.audit.appenders", str(PROCESSES), str(EACH))

    def verdict(self) -> dict[str, object]:
        return self.run("-c", _VERIFY)


def test_they_make_one_chain_on_a_sqlite_file(tmp_path: Path) -> None:
    instance = Instance(tmp_path, "")
    verdict = instance.append_at_once()
    assert (verdict["ok"], verdict["checked"]) == (True, KEPT)
    with sqlite3.connect(tmp_path / "records.sqlite3") as database:
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            database.execute("UPDATE audit_auditevent SET detail = 'x' WHERE seq = 40")
        database.execute("DROP TRIGGER audit_event_no_update")
        database.execute("UPDATE audit_auditevent SET detail = 'x' WHERE seq = 40")
    database.close()
    verdict = instance.verdict()
    assert (verdict["ok"], verdict["first_bad_seq"]) == (False, 40)


def test_they_make_one_chain_on_postgresql(tmp_path: Path, postgres: str) -> None:
    with psycopg.connect(postgres, autocommit=True) as database:
        database.execute("DROP DATABASE IF EXISTS audit_processes")
        database.execute("CREATE DATABASE audit_processes")
    url = postgres.rpartition("/")[0] + "/audit_processes"
    instance = Instance(tmp_path, url)
    verdict = instance.append_at_once()
    assert (verdict["ok"], verdict["checked"]) == (True, KEPT)
    with psycopg.connect(url, autocommit=True) as database:
        for refused in (
            "UPDATE audit_auditevent SET detail = 'x'",
            "DELETE FROM audit_auditevent",
            "TRUNCATE audit_auditevent",
        ):
            with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
                database.execute(refused)
        database.execute("ALTER TABLE audit_auditevent DISABLE TRIGGER USER")
        database.execute("DELETE FROM audit_auditevent WHERE seq = 41")
    verdict = instance.verdict()
    assert (verdict["ok"], verdict["first_bad_seq"]) == (False, 41)
