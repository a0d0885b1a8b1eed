"""A disk that is full: said in a sentence, nobody hangs, what died starts again, and all goes on once there is room."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from io import RawIOBase
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from tests.lab.instances import Instance
from tests.lab.parts import directory, wait_until

from quarterdeck.conf.logs import RotatedFile
from quarterdeck.core.supervisor import Child, Program, Supervisor


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 300 MB; needs root, as CI has."""
    with directory() as home:
        disk = home / "disk"
        disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300m", "qd-test", disk], check=True)
        try:
            yield disk
        finally:
            subprocess.run(["umount", "--lazy", disk], check=True)


def fill(disk: Path) -> Path:
    """Take all the room that is left, to the last byte."""
    path = disk / "filling"
    with path.open("wb", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            with pytest.raises(OSError, match="No space left"):
                _write_for_ever(file, b"x" * size)
    return path


def _write_for_ever(file: RawIOBase, content: bytes) -> None:
    while True:
        file.write(content)


@pytest.mark.slow
def test_an_instance_lives_through_a_full_disk(small_disk: Path) -> None:
    instance = Instance(small_disk / "data")
    try:
        instance.start()
        headers = {"Authorization": f"Bearer {instance.token}"}
        with httpx.Client(base_url=f"{instance.url}/api/v1", headers=headers, timeout=20) as http:
            filling = fill(small_disk)
            # The write-ahead log is used again from its beginning: what it has room for is still taken.
            wait_until(lambda: create(http).status_code == 503, "the end of the room that was there already")
            refused = [create(http) for _ in range(3)]
            assert {answer.status_code for answer in refused} == {503}
            assert "disk of the records is full" in refused[-1].json()["detail"]
            assert http.get("/items", params={"q": "type:host"}).status_code == 200
            doctor = instance.run("doctor", "--data", str(instance.data), check=False)
            assert (doctor.returncode, "free space" in doctor.stdout) == (1, True)

            os.kill(instance.pids()["intake"], signal.SIGKILL)
            wait_until(lambda: "intake ended by SIGKILL; it starts again" in instance.output(), "the restart")
            filling.unlink()
            wait_until(lambda: instance.get("/readyz")[0] == 200, "all processes again", 90)
            assert create(http).status_code == 201
        assert instance.run("audit", "verify", "--data", str(instance.data)).returncode == 0
    finally:
        assert instance.stop() == 0


def create(http: httpx.Client) -> httpx.Response:
    # Longer than a page of the database, so that it does not fit into room that is there already.
    labels = {f"label{n}": "x" * 200 for n in range(60)}
    return http.post("/items", json={"type": "host", "name": f"h-{uuid4().hex}", "labels": labels})


def test_a_log_that_cannot_be_written_does_not_stop_the_work(capsys: pytest.CaptureFixture[str]) -> None:
    handler = RotatedFile("/dev/full")
    for _ in range(3):
        handler.handle(logging.makeLogRecord({"msg": "x" * 10_000}))
    assert "No space left on device" in capsys.readouterr().err
    # What is left in its buffer is lost with it.
    handler.stream.buffer.raw.close()  # type: ignore[attr-defined]


def test_a_process_is_kept_although_its_state_cannot_be_noted(tmp_path: Path) -> None:
    said: list[str] = []

    def fail(children: list[Child]) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    supervisor = Supervisor([Program("p", [sys.executable, "-c", "1/0"])], tmp_path / "missing", said.append, fail)

    async def until_restarted() -> None:
        while supervisor.children[0].restarts < 1:
            await asyncio.sleep(0.05)
        supervisor.stop()

    asyncio.run(asyncio.wait_for(supervisor.run(until_restarted), 30))
    assert "p ended with code 1; it starts again in 0.5 s" in said
    assert "the state of the processes cannot be noted: No space left on device" in said
    assert any(line.startswith("what p says is lost") for line in said)


def test_a_fault_in_the_supervisor_stops_all_and_is_told(tmp_path: Path) -> None:
    def fail(children: list[Child]) -> None:
        raise ValueError("ours")

    supervisor = Supervisor([Program("p", [sys.executable, "-c", ""])], tmp_path, lambda _: None, fail)
    with pytest.raises(ValueError, match="ours"):
        asyncio.run(asyncio.wait_for(supervisor.run(lambda: asyncio.sleep(0)), 30))
