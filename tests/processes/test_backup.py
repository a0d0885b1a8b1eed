"""Backup and restore of a whole instance, while it works."""

from __future__ import annotations

import io
import json
import sqlite3
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from tests.lab.instances import Instance, running_instance
from tests.lab.parts import directory

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def source() -> Iterator[Instance]:
    with running_instance() as running:
        yield running


@pytest.fixture
def home() -> Iterator[Path]:
    with directory() as home:
        yield home


def _keep_a_key(source: Instance) -> None:
    with directory() as home:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", home / "key"], check=True)
        source.qd("credentials", "create", "--name", "lab", "--user", "ops", "--key-file", str(home / "key"))


@pytest.fixture(scope="module")
def backup(source: Instance) -> Iterator[Path]:
    """A backup of an instance with a few tokens, taken while more are made."""
    for number in range(3):
        source.run("token", "create", "--data", str(source.data), "--name", f"before{number}", "--role", "viewer")
    _keep_a_key(source)
    stop = threading.Event()

    def load() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            words = ("token", "create", "--data", str(source.data), "--name", f"during{number}", "--role", "viewer")
            source.run(*words)

    with directory() as home:
        worker = threading.Thread(target=load)
        worker.start()
        try:
            source.run("backup", "--data", str(source.data), str(home / "backup.tar"))
        finally:
            stop.set()
            worker.join()
        yield home / "backup.tar"


def _tokens(data: Path) -> set[str]:
    connection = sqlite3.connect(data / "records.sqlite3")
    try:
        return {name for (name,) in connection.execute("SELECT name FROM access_token")}
    finally:
        connection.close()


def test_it_restores_what_was_there_before_the_backup(source: Instance, backup: Path, home: Path) -> None:
    restored = Instance(home / "restored")
    restored.run("restore", "--data", str(restored.data), str(backup))
    assert {"before0", "before1", "before2"} <= _tokens(restored.data) <= _tokens(source.data)
    restored.run("audit", "verify", "--data", str(restored.data))
    restored.start()
    try:
        assert restored.get("/readyz")[1]["status"] == "ready"
        # The key came along: every credential is opened and wrapped anew.
        assert json.loads(restored.qd("credentials", "rotate", "-o", "json").stdout)["rewrapped"] == 1
    finally:
        restored.stop()


def test_the_file_is_readable_by_its_owner_alone(backup: Path) -> None:
    assert backup.stat().st_mode & 0o777 == 0o600


def test_it_refuses_to_overwrite_a_backup(source: Instance, backup: Path) -> None:
    before = backup.read_bytes()
    done = source.run("backup", "--data", str(source.data), str(backup), check=False)
    assert done.returncode == 65
    assert "exists already" in done.stderr
    assert backup.read_bytes() == before


def test_it_refuses_a_directory_that_is_not_empty(source: Instance, backup: Path, home: Path) -> None:
    (home / "mine").write_text("precious")
    done = source.run("restore", "--data", str(home), str(backup), check=False, QD_DATA=str(home))
    assert (done.returncode, (home / "mine").read_text()) == (65, "precious")
    assert "not an empty directory" in done.stderr


Change = Callable[[tarfile.TarInfo, bytes], tuple[tarfile.TarInfo, bytes]]


def _changed(backup: Path, target: Path, change: Change) -> Path:
    with tarfile.open(backup) as old, tarfile.open(target, "w") as new:
        for member in old:
            content = old.extractfile(member)
            info, data = change(member, content.read() if content else b"")
            info.size = len(data) if info.isreg() else 0
            new.addfile(info, io.BytesIO(data))
    return target


def _edited(member: tarfile.TarInfo, data: bytes) -> tuple[tarfile.TarInfo, bytes]:
    return member, bytes([data[0] ^ 1]) + data[1:] if member.name == "records.sqlite3" else data


def _newer(member: tarfile.TarInfo, data: bytes) -> tuple[tarfile.TarInfo, bytes]:
    if member.name == "manifest.json":
        manifest = json.loads(data)
        manifest["migrations"].append("inventory.9999_from_the_future")
        data = json.dumps(manifest).encode()
    return member, data


def _other_format(member: tarfile.TarInfo, data: bytes) -> tuple[tarfile.TarInfo, bytes]:
    if member.name == "manifest.json":
        data = json.dumps({**json.loads(data), "format": 99}).encode()
    return member, data


def _climbing(member: tarfile.TarInfo, data: bytes) -> tuple[tarfile.TarInfo, bytes]:
    if member.name == "manifest.json":
        text = data.decode().replace('"secrets/audit"', '"../../escaped"')
        return member, text.encode()
    if member.name == "secrets/audit":
        member.name = "../../escaped"
    return member, data


def _linked(member: tarfile.TarInfo, data: bytes) -> tuple[tarfile.TarInfo, bytes]:
    if member.name == "secrets/audit":
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return member, data


def _smuggled(member: tarfile.TarInfo, data: bytes) -> tuple[tarfile.TarInfo, bytes]:
    if member.name == "secrets/audit":
        member.name = "secrets/other"
    return member, data


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_edited, "was changed since"),
        (_newer, "9999_from_the_future"),
        (_other_format, "its format is 99"),
        (_climbing, "no plain file"),
        (_linked, "no plain file"),
        (_smuggled, "does not describe"),
    ],
)
def test_it_refuses_a_file_that_was_tampered_with_and_leaves_nothing(
    backup: Path, home: Path, change: Change, says: str
) -> None:
    bad = _changed(backup, home / "bad.tar", change)
    target = Instance(home / "deep" / "restored")
    done = target.run("restore", "--data", str(target.data), str(bad), check=False)
    assert done.returncode == 65, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert list((home / "deep").iterdir()) == []
    assert not (home / "escaped").exists()


@pytest.mark.parametrize("content", [b"", b"not a tar", b"\0" * 10240])
def test_it_refuses_what_is_no_backup(home: Path, content: bytes) -> None:
    (home / "bad.tar").write_bytes(content)
    target = Instance(home / "restored")
    done = target.run("restore", "--data", str(target.data), str(home / "bad.tar"), check=False)
    assert done.returncode == 65, done.stderr
    assert not target.data.exists()


def test_it_refuses_a_file_that_was_cut_off(backup: Path, home: Path) -> None:
    whole = backup.read_bytes()
    (home / "bad.tar").write_bytes(whole[: len(whole) // 2])
    target = Instance(home / "restored")
    done = target.run("restore", "--data", str(target.data), str(home / "bad.tar"), check=False)
    assert done.returncode == 65, done.stderr
    assert not target.data.exists()


def test_it_restores_postgresql_into_an_empty_database(home: Path, postgres: str) -> None:
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("CREATE DATABASE backed_up")
        connection.execute("CREATE DATABASE restored")
    server = postgres.rpartition("/")[0]
    old = Instance(home / "old" / "data", {"QD_DATABASE_URL": f"{server}/backed_up"})
    old.start()
    try:
        old.run("token", "create", "--data", str(old.data), "--name", "kept", "--role", "viewer")
        old.run("backup", "--data", str(old.data), str(home / "backup.tar"))
    finally:
        old.stop()
    new = Instance(home / "new" / "data", {"QD_DATABASE_URL": f"{server}/restored"})
    new.run("restore", "--data", str(new.data), str(home / "backup.tar"))
    new.run("audit", "verify", "--data", str(new.data))
    with psycopg.connect(f"{server}/restored") as connection:
        assert connection.execute("SELECT name FROM access_token").fetchall() == [("kept",)]
    # Ids go on where they were.
    new.run("token", "create", "--data", str(new.data), "--name", "next", "--role", "viewer")
    again = new.run("restore", "--data", str(home / "third"), str(home / "backup.tar"), check=False)
    assert (again.returncode, "holds records already" in again.stderr) == (65, True)


def test_it_refuses_records_of_the_other_database(backup: Path, home: Path, postgres: str) -> None:
    target = Instance(home / "restored", {"QD_DATABASE_URL": postgres})
    done = target.run("restore", "--data", str(target.data), str(backup), check=False)
    assert done.returncode == 65
    assert "QD_DATABASE_URL" in done.stderr
    assert not target.data.exists()
