"""What belongs to an instance, and in which order it goes out and in."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.db.migrations.loader import MigrationLoader

from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import SYSTEM
from quarterdeck.conf.backup import archive, records
from quarterdeck.core.clock import now
from quarterdeck.core.errors import Conflict, Unavailable
from quarterdeck.core.processes import run_file
from quarterdeck.telemetry import backup as telemetry

# Keys without which signatures and digests in the records cannot be verified; the engine's password is made anew.
_NOT_KEPT = {"engine"}
# Files beside the databases: settings, archived audit segments with their checkpoints, uploaded files.
_FOLDERS = ("audit", "uploads")
_ENGINE_START_SECONDS = 60


def back_up(data: Path, target: Path) -> dict[str, Any]:
    """Write the instance in `data` to `target`; return the manifest. It may run meanwhile, or stand still.

    Raises Conflict when `target` exists, Unavailable when a part does not answer.
    """
    _refuse_existing(target)
    with TemporaryDirectory(prefix="backup-", dir=data / "run") as name, _engine(data):
        staging = Path(name)
        telemetry.dump(staging / "telemetry")
        # Files first: a checkpoint beside the records must not be younger than they are, that would look like a cut.
        _copy_files(data, staging)
        records.dump(staging)
        _add_newer_keys(data, staging)
        # An audit segment that was archived meanwhile is no longer in the records.
        _copy_folder(data, staging, "audit/archive")
        facts = {
            "version": version("quarterdeck"),
            "created_at": now().isoformat(),
            "records": records.kind(),
            "migrations": records.migrations(),
        }
        manifest = archive.pack(staging, target, facts)
    record(SYSTEM.named("system:cli"), "system.backup", None, f"{len(manifest['files'])} files to {target}")
    return manifest


def _refuse_existing(target: Path) -> None:
    if target.exists():
        raise Conflict(f"{target} exists already", hint="choose another name, or remove it")


def _copy_files(data: Path, staging: Path) -> None:
    """Copy keys, settings and folders. Links are left out: what they point to is not the instance's."""
    for source in sorted((data / "secrets").iterdir()):
        if source.is_file() and not source.name.startswith(".") and source.name not in _NOT_KEPT:
            _copy(source, staging / "secrets" / source.name)
    if (data / "quarterdeck.toml").is_file():
        _copy(data / "quarterdeck.toml", staging / "quarterdeck.toml")
    for folder in _FOLDERS:
        _copy_folder(data, staging, folder)


def _add_newer_keys(data: Path, staging: Path) -> None:
    """Add the credentials' keys that a rotation made meanwhile: the records may be under one of those, or of before."""
    source, target = data / "secrets" / "vault", staging / "secrets" / "vault"
    if source.is_file():
        before = target.read_text().split() if target.exists() else []
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        target.write_text("\n".join(dict.fromkeys([*source.read_text().split(), *before])))


def _copy_folder(data: Path, staging: Path, folder: str) -> None:
    for source in sorted((data / folder).rglob("*")):
        if source.is_file() and not source.is_symlink() and not source.name.startswith("."):
            _copy(source, staging / source.relative_to(data))


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    shutil.copyfile(source, target)


@contextmanager
def _engine(data: Path) -> Iterator[None]:
    """Have telemetry answer: by the server or the engine that runs, else by one started for the time being."""
    if settings.QD["clickhouse_url"] or _answers(data):
        yield
        return
    engine = subprocess.Popen([sys.executable, "-m", "quarterdeck", "engine", "--data", str(data)])
    try:
        deadline = time.monotonic() + _ENGINE_START_SECONDS
        while run_file(data, "engine").get("pid") != engine.pid:
            if engine.poll() is not None or time.monotonic() > deadline:
                raise Unavailable("the telemetry engine does not start", hint=f"its log: {data}/log/engine.log")
            time.sleep(0.05)
        yield
    finally:
        engine.terminate()
        engine.wait()


def _answers(data: Path) -> bool:
    from quarterdeck.conf.health import http_probe

    address = run_file(data, "engine").get("address")
    return bool(address) and not http_probe(str(address), "/ping")


def place(staging: Path, data: Path, manifest: dict[str, Any]) -> None:
    """Put checked files in place, load the databases. Django is set up on `data`, which holds the keys already."""
    _check_fits(manifest)
    if records.kind() == "postgresql":
        call_command("migrate", interactive=False, verbosity=0)
    records.load(staging)
    call_command("migrate", interactive=False, verbosity=0)
    with _engine(data):
        telemetry.load(staging / "telemetry")
    record(SYSTEM.named("system:cli"), "system.restore", None, f"from a backup of {manifest['created_at']}")


def _check_fits(manifest: dict[str, Any]) -> None:
    if manifest.get("records") != records.kind():
        raise Conflict(
            f"the backup's records are of {manifest.get('records')}, this instance's would be of {records.kind()}",
            hint="set or unset QD_DATABASE_URL to match the backup",
        )
    known = {f"{app}.{name}" for app, name in MigrationLoader(None).disk_migrations}
    newer = sorted(set(manifest.get("migrations", [])) - known)
    if newer:
        raise Conflict(
            f"the backup was made by version {manifest.get('version')}, which has {newer[0]}; this one has not",
            hint="restore it with that version or a newer one",
        )
