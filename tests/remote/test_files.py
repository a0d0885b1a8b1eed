"""Files on real hosts: pushed, pulled, looked at; and hosts that want to lead out of the directory."""

from __future__ import annotations

import asyncio
import hashlib
import os
import resource
import stat
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any, TypeVar

import asyncssh
import pytest
from tests.lab.ssh_hosts import OPS, ROOT_PASSWORD, SshHost, ssh_host
from tests.remote.test_connect import keys_of, target_of

from quarterdeck.core.errors import BadInput, Conflict, Denied, NotFound, OpsError, TooMany
from quarterdeck.remote import loop
from quarterdeck.remote.errors import FileFailed, NoFileTransfer
from quarterdeck.remote.files import browsing
from quarterdeck.remote.files.content import Content
from quarterdeck.remote.files.pulling import Pulled, PullLimits, pull
from quarterdeck.remote.files.pushing import Push, Pushed, push
from quarterdeck.remote.files.session import sftp
from quarterdeck.remote.target import Become

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("remote files")]
T = TypeVar("T")
SUDO = Become("sudo", "root", OPS)
EVIL = 'it\'s "x" $(touch qd-evil) `id` ;&|\\ \n 汉 -rf'


@pytest.fixture(scope="module")
def host() -> Iterator[SshHost]:
    with ssh_host("Subsystem sftp internal-sftp") as running:
        yield running
        loop.stop()


@pytest.fixture
def there(host: SshHost, request: pytest.FixtureRequest) -> Path:
    """A directory of the account ops on the host, which has this machine's file system."""
    path = host.home / f"files-{hashlib.sha256(request.node.name.encode()).hexdigest()[:12]}"
    path.mkdir()
    os.chown(path, 4001, 4001)
    return path


def on(host: SshHost, work: Callable[[asyncssh.SSHClientConnection], Awaitable[T]], user: str = "ops") -> T:
    async def story() -> T:
        async with loop.pool().lease(target_of(host, user), keys_of(host)) as connection:
            return await work(connection)

    return loop.run(story())


def pushed(host: SshHost, path: Path | str, source: bytes | str | Path, user: str = "ops", **more: Any) -> Pushed:
    become = more.pop("become", None)
    progress = more.pop("progress", None)

    async def work(connection: asyncssh.SSHClientConnection) -> Pushed:
        content = await Content.of(source)
        return await push(connection, Push(str(path), content, **more), become=become, progress=progress)

    return on(host, work, user)


def pulled(host: SshHost, path: Path | str, directory: Path, user: str = "ops", **more: Any) -> Pulled:
    return on(host, lambda connection: pull(connection, str(path), directory, **more), user)


def leftovers(directory: Path) -> list[str]:
    return [path.name for path in directory.rglob("*") if ".part" in path.name or ".qd-" in path.name]


def waiting() -> set[str]:
    return {path.name for path in Path("/tmp").glob("qd-" + "?" * 32)}


def test_a_file_arrives_once_and_then_all_is_as_asked(host: SshHost, there: Path) -> None:
    path = there / "app.conf"
    first = pushed(host, path, "a = 1\n", mode=0o640)
    assert first.changes == ("content", "mode")
    assert "+a = 1" in first.diff
    found = path.stat()
    assert (path.read_text(), stat.S_IMODE(found.st_mode), found.st_uid) == ("a = 1\n", 0o640, 4001)
    assert pushed(host, path, "a = 1\n", mode=0o640).changes == ()
    assert pushed(host, path, "a = 1\n").changes == (), "a mode that nobody asks for stays"
    assert pushed(host, path, "a = 1\n", mode=0o600).changes == ("mode",)
    inode = path.stat().st_ino
    second = pushed(host, path, "a = 2\n")
    assert second.changes == ("content",)
    assert second.diff.splitlines()[2:] == ["@@ -1 +1 @@", "-a = 1", "+a = 2"]
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("a = 2\n", 0o600)
    assert path.stat().st_ino != inode, "whoever has the old one open reads it to its end"
    assert second.sha256 == hashlib.sha256(b"a = 2\n").hexdigest()
    assert leftovers(there) == []


def test_a_dry_run_says_what_would_be_and_changes_nothing(host: SshHost, there: Path) -> None:
    path = there / "x"
    for become in (None, SUDO):
        would = pushed(host, path, "new\n", is_dry_run=True, mode=0o600, become=become, keeps_backup=True)
        assert (would.changes, would.diff.splitlines()[-1]) == (("content", "mode"), "+new")
    assert list(there.iterdir()) == []
    path.write_bytes(b"\x00\x01")
    assert pushed(host, path, "new\n", is_dry_run=True).diff == "", "what is no text has no difference to show"
    assert pushed(host, path, "secret\n", is_dry_run=True, shows_diff=False).diff == ""


def test_a_backup_is_kept(host: SshHost, there: Path) -> None:
    path = there / "x"
    assert pushed(host, path, "one", keeps_backup=True).backup == "", "there was nothing to keep"
    first = pushed(host, path, "two", keeps_backup=True)
    assert (path.read_text(), Path(first.backup).read_text()) == ("two", "one")
    path.chmod(0o604)
    second = pushed(host, path, "three", keeps_backup=True, become=SUDO)
    assert path.read_text() == "three"
    assert Path(second.backup).read_text() in ("two", "one"), "two within a second have one name"
    assert stat.S_IMODE(path.stat().st_mode) == 0o604


def test_directories_are_made_when_asked(host: SshHost, there: Path) -> None:
    for become in (None, SUDO):
        path = there / ("root" if become else "ops") / "a" / "b" / "x"
        with pytest.raises(NotFound, match="no such directory"):
            pushed(host, path, "x", become=become)
        pushed(host, path, "x", become=become, makes_directories=True)
        assert path.read_text() == "x"
        assert path.parent.stat().st_uid == (0 if become else 4001)
    assert leftovers(there) == []


@pytest.mark.parametrize(
    ("user", "become", "owner"),
    [
        ("ops", SUDO, 0),
        ("ops", Become("su", "root", ROOT_PASSWORD), 0),
        ("ops", Become("doas", "root", OPS), 0),
        ("free", Become("sudo", "ops"), 4001),
    ],
)
def test_another_user_places_it(host: SshHost, there: Path, user: str, become: Become, owner: int) -> None:
    before = waiting()
    path = there / "secret.conf"
    assert pushed(host, path, EVIL, user, become=become, mode=0o600).changes == ("content", "mode")
    assert (path.read_text(), path.stat().st_uid, stat.S_IMODE(path.stat().st_mode)) == (EVIL, owner, 0o600)
    assert pushed(host, path, EVIL, user, become=become, mode=0o600).changes == ()
    assert waiting() == before
    assert leftovers(there) == []


def test_owner_and_group_are_given_and_kept(host: SshHost, there: Path) -> None:
    path = there / "x"
    first = pushed(host, path, "1", become=SUDO, owner="free", group="ops", mode=0o640)
    assert first.changes == ("content", "mode", "owner", "group")
    assert (path.stat().st_uid, path.stat().st_gid) == (4002, 4001)
    assert pushed(host, path, "1", become=SUDO, owner="free", group="4001").changes == ()
    assert pushed(host, path, "2", become=SUDO).changes == ("content",)
    assert (path.stat().st_uid, path.stat().st_gid) == (4002, 4001), "the new one is whose the old one was"
    assert pushed(host, path, "2", "root", owner="ops").changes == ("owner",), "root needs nobody else"
    with pytest.raises(Denied, match="only root"):
        pushed(host, there / "y", "1", owner="root")
    assert not (there / "y").exists()
    with pytest.raises(BadInput):
        pushed(host, there / "y", "1", become=SUDO, owner="ops; id")


def test_no_path_is_code(host: SshHost, there: Path) -> None:
    path = there / EVIL.replace("/", "_") / "-x $(id)"
    for content, become in (("a", None), ("b", SUDO), ("c", None)):
        pushed(host, path, content, become=become, makes_directories=True, keeps_backup=True, mode=0o666)
        assert path.read_text() == content
        os.chown(path.parent, 4001, 4001)
    assert not list(there.rglob("qd-evil"))
    for wrong in ("", "a\0b", f"{there}/..", f"{there}/"):
        with pytest.raises(BadInput):
            pushed(host, wrong, "x")
    with pytest.raises(BadInput, match="absolute"):
        pushed(host, "relative", "x", become=SUDO)


def test_a_link_is_replaced_and_not_followed(host: SshHost, there: Path) -> None:
    precious = there / "precious"
    precious.write_text("as it was")
    for become in (None, SUDO):
        link = there / f"link-{become is not None}"
        link.symlink_to(precious)
        assert "content" in pushed(host, link, "as it was", become=become).changes
        assert not link.is_symlink()
    assert precious.read_text() == "as it was"


def test_what_cannot_be_is_told(host: SshHost, there: Path) -> None:
    with pytest.raises(BadInput, match="no file"):
        pushed(host, there, "x")
    with pytest.raises(BadInput, match="no file"):
        pushed(host, there, "x", become=SUDO)
    with pytest.raises(Denied):
        pushed(host, "/etc/qd-not-permitted", "x")
    with pytest.raises(Denied):
        pushed(host, "/etc/qd-not-permitted", "x", "free", become=Become("sudo", "ops"))
    for become in (None, SUDO):
        with pytest.raises(FileFailed, match="host says"):
            pushed(host, there / ("x" * 300), "x", become=become)
    assert list(there.iterdir()) == []
    with pytest.raises(BadInput, match="cannot be read"):
        pushed(host, there / "x", there / "none")


def test_a_large_file_is_not_in_memory_and_tells_how_far_it_is(host: SshHost, there: Path, tmp_path: Path) -> None:
    source = tmp_path / "large.bin"
    source.write_bytes(os.urandom(1 << 20) * 64)
    seen: list[tuple[int, int]] = []
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    done = pushed(host, f"{there}/", source, progress=lambda done, total: seen.append((done, total)))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 48_000, "KB more than before"
    assert (done.path, seen[0][1], seen[-1]) == (f"{there}/large.bin", 64 << 20, (64 << 20, 64 << 20))
    assert [done for done, _total in seen] == sorted({done for done, _total in seen})
    assert pushed(host, f"{there}/", source).changes == (), "the host made the checksum"
    with source.open("r+b") as file:
        file.write(b"x")
    assert pushed(host, f"{there}/", source, is_dry_run=True).changes == ("content",)
    back = pulled(host, there / "large.bin", tmp_path / "back")
    assert back.files[0].sha256 == done.sha256


def test_who_leaves_in_the_middle_leaves_nothing(host: SshHost, there: Path, tmp_path: Path) -> None:
    source = tmp_path / "large.bin"
    source.write_bytes(bytes(64 << 20))
    path = there / "x"
    path.write_text("old")
    before = waiting()

    async def story(connection: asyncssh.SSHClientConnection) -> None:
        content = await Content.of(source)
        for become in (None, SUDO):
            began = asyncio.Event()

            def see(_done: int, _total: int, began: asyncio.Event = began) -> None:
                began.set()

            task = asyncio.create_task(push(connection, Push(str(path), content), become=become, progress=see))
            await began.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    on(host, story)
    assert (path.read_text(), leftovers(there), waiting()) == ("old", [], before)


def test_a_file_that_changes_meanwhile_is_not_placed(host: SshHost, there: Path, tmp_path: Path) -> None:
    source = tmp_path / "x"
    source.write_text("one")

    async def story(connection: asyncssh.SSHClientConnection) -> None:
        content = await Content.of(source)
        source.write_text("two")
        with pytest.raises(Conflict, match="changed while"):
            await push(connection, Push(str(there / "x"), content))

    on(host, story)
    assert list(there.iterdir()) == []


def tree(there: Path) -> None:
    for name, text in {"a.log": "a", "b.log": "bb", "deep/er/c.log": "ccc", ".hidden": "h", EVIL: "e"}.items():
        path = there / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (there / "tree" / "link").symlink_to("/etc/passwd")
    (there / "tree" / "up").symlink_to("/etc")
    os.mkfifo(there / "tree" / "fifo")


@pytest.mark.parametrize("become", [None, SUDO])
def test_a_tree_a_pattern_and_a_file_are_pulled(
    host: SshHost, there: Path, tmp_path: Path, become: Become | None
) -> None:
    tree(there)
    found = pulled(host, there / "tree", tmp_path, become=become)
    assert {str(one.local.relative_to(tmp_path)) for one in found.files} == {
        *("tree/a.log", "tree/b.log", "tree/deep/er/c.log", "tree/.hidden", f"tree/{EVIL}")
    }
    assert all(one.local.read_bytes() == Path(one.path).read_bytes() for one in found.files)
    assert all(one.sha256 == hashlib.sha256(one.local.read_bytes()).hexdigest() for one in found.files)
    assert found.size_bytes == 8
    if become is None:
        kinds = {(Path(path).name, why) for path, why in found.left_out}
        assert kinds == {("link", "link"), ("up", "link"), ("fifo", "other")}
    by_name = pulled(host, there / "tree" / "*.log", tmp_path / "p", become=become)
    assert {one.local.name for one in by_name.files} == {"a.log", "b.log"}
    deeper = pulled(host, there / "t*" / "d??p", tmp_path / "d", become=become)
    assert [str(one.local.relative_to(tmp_path / "d")) for one in deeper.files] == ["tree/deep/er/c.log"]
    assert pulled(host, there / "tree" / EVIL, tmp_path / "e", become=become).files[0].size_bytes == 1
    assert not list(there.rglob("qd-evil"))
    (there / "empty").mkdir()
    assert pulled(host, there / "empty", tmp_path, become=become).files == []
    with pytest.raises(NotFound):
        pulled(host, there / "none", tmp_path, become=become)
    with pytest.raises(NotFound):
        pulled(host, there / "none*", tmp_path, become=become)
    again = pulled(host, there / "tree" / "a.log", tmp_path / "p", become=become)
    assert again.files[0].local.read_text() == "a", "what was there is replaced"


def test_another_user_reads_what_this_one_may_not(host: SshHost, there: Path, tmp_path: Path) -> None:
    (there / "secret").write_text("s")
    (there / "secret").chmod(0o600)
    with pytest.raises(Denied):
        pulled(host, there / "secret", tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert pulled(host, there / "secret", tmp_path, become=SUDO).files[0].local.read_text() == "s"


def test_limits_bind_and_nothing_half_is_left(host: SshHost, there: Path, tmp_path: Path) -> None:
    (there / "big").write_bytes(bytes(5_000_000))
    for name in "abc":
        (there / f"n{name}").touch()
    for become in (None, SUDO):
        with pytest.raises(TooMany, match="1000000 bytes"):
            pulled(host, there / "big", tmp_path, become=become, limits=PullLimits(max_bytes=1_000_000))
        with pytest.raises(TooMany, match="more than 2 files"):
            pulled(host, there / "n*", tmp_path, become=become, limits=PullLimits(max_files=2))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_this_machines_links_are_not_followed(host: SshHost, there: Path, tmp_path: Path) -> None:
    tree(there)
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "in" / "tree").mkdir(parents=True)
    (tmp_path / "in" / "tree" / "deep").symlink_to(outside)
    with pytest.raises(FileFailed, match="written here"):
        pulled(host, there / "tree" / "deep*", tmp_path / "in" / "tree")
    assert list(outside.rglob("*")) == []


class _Hostile(asyncssh.SFTPServer):
    """A server whose directory has names that lead elsewhere, and a file without an end."""

    async def scandir(self, path: bytes) -> AsyncIterator[asyncssh.SFTPName]:
        for name in (b"../up", b"/etc/passwd", b"a/b", b"..", b"nul\0x", b"fine", b"x" * 300, b"up\\..\\..\\win"):
            yield asyncssh.SFTPName(name, attrs=asyncssh.SFTPAttrs(type=1, size=3, permissions=0o100644))

    def lstat(self, path: bytes) -> Any:
        return self.stat(path)

    def stat(self, path: bytes) -> Any:
        kind = 2 if path.endswith(b"dir") else 1
        return asyncssh.SFTPAttrs(type=kind, size=3, permissions=0o40755 if kind == 2 else 0o100644)

    def realpath(self, path: bytes) -> bytes:
        return path

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
        return path

    def read(self, file_obj: object, offset: int, size: int) -> bytes:
        is_endless = str(file_obj).find("endless") >= 0
        return b"x" * size if is_endless else b"abc"[offset : offset + size]

    def close(self, file_obj: object) -> None:
        pass

    def fstat(self, file_obj: object) -> Any:
        return asyncssh.SFTPAttrs(type=1, size=3)


def test_a_hostile_hosts_names_lead_nowhere(tmp_path: Path) -> None:
    class Anybody(asyncssh.SSHServer):
        def begin_auth(self, username: str) -> bool:
            return False

    async def story() -> None:
        key = asyncssh.generate_private_key("ssh-ed25519")
        server = await asyncssh.listen(
            "127.0.0.1", 0, server_factory=Anybody, server_host_keys=[key], sftp_factory=_Hostile
        )
        async with server, asyncssh.connect("127.0.0.1", server.get_port(), known_hosts=None) as connection:
            inside = tmp_path / "one" / "two"
            found = await pull(connection, "dir", inside)
            assert {one.local.name for one in found.files} == {"fine", "up\\..\\..\\win"}
            assert len(found.left_out) == 5
            assert all(one.local.parent == inside / "dir" for one in found.files)
            with pytest.raises(TooMany):
                await pull(connection, "endless", inside, limits=PullLimits(max_bytes=5_000_000))
            async with sftp(connection) as client:
                names = [entry.name for entry in (await browsing.listing(client, "dir")).entries]
            assert names == ["fine", "up\\..\\..\\win"]

    asyncio.run(story())
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {"fine", "up\\..\\..\\win"}


def test_a_host_without_sftp_is_told() -> None:
    with ssh_host() as bare, pytest.raises(NoFileTransfer, match="no SFTP subsystem"):
        pushed(bare, "/tmp/qd-x", "x")
    with ssh_host("Subsystem sftp /bin/echo hello") as odd, pytest.raises(NoFileTransfer, match="does not speak SFTP"):
        pulled(odd, "/etc/hostname", Path("/tmp/qd-none"))


def test_looking_around(host: SshHost, there: Path) -> None:
    tree(there)
    (there / "bad\udcff").write_text("x")
    os.chown(there / "tree", 4001, 4001)
    for path in (there / "tree").rglob("*"):
        os.chown(path, 4001, 4001, follow_symlinks=False)

    async def story(connection: asyncssh.SSHClientConnection) -> None:
        async with sftp(connection) as client:
            top = await browsing.listing(client, str(there))
            assert [(entry.name, entry.kind) for entry in top.entries] == [("tree", "directory"), ("bad\udcff", "file")]
            found = {entry.name: entry for entry in (await browsing.listing(client, f"{there}/tree/")).entries}
            assert (found["a.log"].kind, found["a.log"].size_bytes, found["link"].kind) == ("file", 1, "link")
            assert found["fifo"].kind == "other"
            assert found["a.log"].modified_at is not None
            assert (await browsing.look(client, f"{there}/tree/link")).leads_to == "/etc/passwd"
            assert (await browsing.listing(client, str(there), 1)).is_cut
            await browsing.make_directory(client, f"{there}/new")
            with pytest.raises(Conflict):
                await browsing.make_directory(client, f"{there}/new")
            with pytest.raises(NotFound):
                await browsing.make_directory(client, f"{there}/x/y")
            await browsing.make_directory(client, f"{there}/x/y", with_parents=True)
            with pytest.raises(Conflict):
                await browsing.rename(client, f"{there}/new", f"{there}/x")
            await browsing.rename(client, f"{there}/new", f"{there}/newer")
            with pytest.raises(Conflict, match="not empty"):
                await browsing.remove(client, f"{there}/x")
            assert await browsing.remove(client, f"{there}/newer") == 1
            for wrong in ("/", "..", f"{there}/.."):
                with pytest.raises(BadInput):
                    await browsing.remove(client, wrong, with_content=True)
            with pytest.raises(TooMany):
                await browsing.remove(client, f"{there}/x", with_content=True, max_removed=1)
            with pytest.raises(NotFound):
                await browsing.look(client, f"{there}/none")
            for start, length, wanted in ((0, None, b"ccc"), (1, None, b"cc"), (1, 1, b"c"), (9, None, b"")):
                parts = browsing.content(client, f"{there}/tree/deep/er/c.log", start=start, length=length)
                async with aclosing(parts):
                    assert b"".join([part async for part in parts]) == wanted
            removed = await browsing.remove(client, f"{there}/tree", with_content=True)
            assert removed == 11

    on(host, story)
    assert Path("/etc/passwd").exists()
    assert not (there / "tree").exists()


def test_a_lost_connection_is_told(host: SshHost, there: Path, tmp_path: Path) -> None:
    source = tmp_path / "large.bin"
    source.write_bytes(bytes(64 << 20))

    async def story(connection: asyncssh.SSHClientConnection) -> None:
        content = await Content.of(source)
        began = asyncio.Event()
        task = asyncio.create_task(push(connection, Push(str(there / "x"), content), progress=lambda *_: began.set()))
        await began.wait()
        host.drop_connections()
        with pytest.raises(OpsError, match="connection ended"):
            await task

    on(host, story)
    assert not (there / "x").exists()
