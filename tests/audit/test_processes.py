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

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen([sys.executable, *arguments], env=self.environ, stdout=subprocess.PIPE, text=True)

    def run(self, *arguments: str) -> str:
        process = self.start(*arguments)
        output, _ = process.communicate(timeout=100)
        assert process.returncode == 0
        return output

    def append_at_once(self) -> None:
        running = [self.start("-m", "tests.audit.appender", str(EACH)) for _ in range(PROCESSES)]
        for process in running:
            process.communicate(timeout=100)
        assert [process.returncode for process in running] == [0] * PROCESSES

    def verdict(self) -> dict[str, object]:
        found: dict[str, object] = json.loads(self.run("-c", _VERIFY))
        return found


def test_they_make_one_chain_on_a_sqlite_file(tmp_path: Path) -> None:
    instance = Instance(tmp_path, "")
    instance.run("-m", "django", "migrate", "-v", "0")
    instance.append_at_once()
    assert (instance.verdict()["ok"], instance.verdict()["checked"]) == (True, KEPT)
    with sqlite3.connect(tmp_path / "records.sqlite3") as database:
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            database.execute("UPDATE audit_auditevent SET detail = 'x' WHERE seq = 40")
        database.execute("DROP TRIGGER audit_event_no_update")
        database.execute("UPDATE audit_auditevent SET detail = 'x' WHERE seq = 40")
    database.close()
    assert (instance.verdict()["ok"], instance.verdict()["first_bad_seq"]) == (False, 40)


def test_they_make_one_chain_on_postgresql(tmp_path: Path, postgres: str) -> None:
    with psycopg.connect(postgres, autocommit=True) as database:
        database.execute("DROP DATABASE IF EXISTS audit_processes")
        database.execute("CREATE DATABASE audit_processes")
    url = postgres.rpartition("/")[0] + "/audit_processes"
    instance = Instance(tmp_path, url)
    instance.run("-m", "django", "migrate", "-v", "0")
    instance.append_at_once()
    assert (instance.verdict()["ok"], instance.verdict()["checked"]) == (True, KEPT)
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
    assert (instance.verdict()["ok"], instance.verdict()["first_bad_seq"]) == (False, 41)
