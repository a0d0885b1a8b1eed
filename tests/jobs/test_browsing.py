"""Files of a host for who waits for them: a host that does not answer, and a reader who leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from tests.lab.parts import wait_until

from quarterdeck.audit.actor import SYSTEM
from quarterdeck.inventory.actions import create_item
from quarterdeck.jobs.browsing import actions, waiting
from quarterdeck.jobs.ways import Way
from quarterdeck.remote import loop
from quarterdeck.remote.errors import FileFailed
from quarterdeck.remote.host_keys import HostKeys
from quarterdeck.remote.target import SignIn, Target

pytestmark = pytest.mark.django_db


class _Anybody(asyncssh.SSHServer):
    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return True


class _Dead(asyncssh.SFTPServer):
    """Below /dead nothing is answered, and whatever is open there is never closed."""

    async def realpath(self, path: bytes) -> bytes:
        await _perhaps_never(path)
        return path

    async def stat(self, path: bytes) -> Any:
        await _perhaps_never(path)
        return super().stat(path)

    async def read(self, file_obj: object, offset: int, size: int) -> Any:
        await asyncio.sleep(0.001)
        return super().read(file_obj, offset, size)

    async def close(self, file_obj: object) -> None:
        super().close(file_obj)
        await asyncio.sleep(3600)


async def _perhaps_never(path: bytes) -> None:
    if path.startswith(b"/dead"):
        await asyncio.sleep(3600)


@pytest.fixture
def way(monkeypatch: pytest.MonkeyPatch) -> Iterator[Way]:
    """The way to a server on the loop of the connections, which every item here has."""
    key = asyncssh.generate_private_key("ssh-ed25519")

    async def listen() -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            "127.0.0.1", 0, server_host_keys=[key], server_factory=_Anybody, sftp_factory=_Dead
        )

    server = loop.run(listen())
    port = server.get_port()
    shown = " ".join(key.export_public_key().decode().split()[:2])
    found = Way(
        Target("127.0.0.1", port, "x", SignIn(password="p")), HostKeys(approved={("127.0.0.1", port): (shown,)})
    )
    monkeypatch.setattr(actions, "way_to", lambda *_args: found)
    monkeypatch.setattr(actions, "note_host_keys", lambda *_args: None)
    monkeypatch.setattr(actions, "_ANSWER_SECONDS", 0.2)
    monkeypatch.setattr(actions, "_PROGRESS_SECONDS", 0.2)
    monkeypatch.setattr(waiting, "_LAST_ANSWER_SECONDS", 0.1)
    yield found
    loop.run(_end(server))
    loop.stop()


async def _end(server: asyncssh.SSHAcceptor) -> None:
    """Also of what the server never answers."""
    server.close()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _sessions() -> int:
    return sum(warm.sessions for group in loop.pool()._warm.values() for warm in group)


def test_nobody_waits_for_a_host_that_does_not_answer(way: Way, tmp_path: Path) -> None:
    item = create_item(SYSTEM, "host", "web1")
    with pytest.raises(FileFailed, match="/dead: the host has not answered"):
        actions.list_directory(SYSTEM, item, "/dead")
    with pytest.raises(FileFailed, match="/dead/a: the host has not answered"):
        actions.download_file(SYSTEM, item, "/dead/a")
    # Its content is written, and then closing it is not answered.
    with pytest.raises(FileFailed, match="the host has not answered"):
        actions.upload_file(SYSTEM, item, str(tmp_path), "a", b"content")
    assert _sessions() == 0


def test_a_reader_who_leaves_lets_go_of_the_host(way: Way, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions, "_ANSWER_SECONDS", 60.0)
    monkeypatch.setattr(actions, "_PROGRESS_SECONDS", 60.0)
    big = tmp_path / "big"
    big.write_bytes(bytes(16 << 20))
    item = create_item(SYSTEM, "host", "web1")

    async def read(download: actions.Download) -> None:
        begun = asyncio.Event()

        async def eat() -> None:
            async for _block in download:
                begun.set()

        eating = asyncio.create_task(eat())
        await begun.wait()
        eating.cancel()
        with pytest.raises(asyncio.CancelledError):
            await eating
        await asyncio.to_thread(download.close)

    asyncio.run(read(actions.download_file(SYSTEM, item, str(big))))
    wait_until(lambda: _sessions() == 0, "the end of the session")
