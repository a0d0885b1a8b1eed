"""Commands on real hosts: what they say, how they end, as whom, and that they are really gone when they are killed."""

from __future__ import annotations

import asyncio
import os
import resource
import time
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from tests.lab.parts import wait_until
from tests.lab.ssh_hosts import OPS, ROOT_PASSWORD, SshHost, ssh_host
from tests.remote.test_connect import keys_of, said, target_of, until

from quarterdeck.core.errors import BadInput
from quarterdeck.remote import loop
from quarterdeck.remote.becoming import Beginning
from quarterdeck.remote.errors import BecomeRefused, Lost
from quarterdeck.remote.pool import Pool
from quarterdeck.remote.running import Exit, Result, result_of, run
from quarterdeck.remote.scripts import Command
from quarterdeck.remote.sessions import Session
from quarterdeck.remote.target import Become, Patience

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("remote")]
EVIL = 'it\'s "x" $(touch /tmp/qd-evil) `id` ; & | \\ \n two\t* ~ 汉 -rf'


@pytest.fixture(scope="module")
def host() -> Iterator[SshHost]:
    with ssh_host() as running:
        yield running


def done(host: SshHost, command: Command | str, user: str = "ops", **more: Any) -> Result:
    async def story() -> Result:
        async with Pool() as pool, pool.lease(target_of(host, user), keys_of(host)) as connection:
            return await result_of(run(connection, Command(command) if isinstance(command, str) else command, **more))

    return asyncio.run(story())


def test_output_and_exit_code_are_the_commands(host: SshHost) -> None:
    found = done(host, "echo out; echo err >&2; exit 7")
    assert (found.stdout, found.stderr, found.exit.code) == (b"out\n", b"err\n", 7)
    assert (found.exit.stdout_bytes, found.exit.stderr_bytes, found.exit.is_cut) == (4, 4, False)
    assert done(host, "kill -KILL $$").exit.signal == "KILL"
    assert done(host, "no-such-program").exit.code == 127
    assert done(host, "if").exit.code == 2, "what is no shell is an ordinary failure"


def test_arguments_variables_and_directories_are_no_code(host: SshHost) -> None:
    assert done(host, Command.of(["printf", "%s", EVIL])).stdout.decode() == EVIL
    found = done(host, Command('printf %s "$A"; pwd', environment={"A": EVIL}, directory="/usr/share"))
    assert found.stdout.decode() == EVIL + "/usr/share\n"
    assert not Path("/tmp/qd-evil").exists()
    assert done(host, Command("pwd", directory="$(touch /tmp/qd-evil)")).exit.code == 1
    assert not Path("/tmp/qd-evil").exists()
    for wrong in (Command("a\0b"), Command("x", environment={"A=1;x": "y"}), Command("x", environment={"A": "\0"})):
        with pytest.raises(BadInput):
            done(host, wrong)
    with pytest.raises(BadInput):
        done(host, "id", become=Become(user="-x; id"))


def test_binary_and_terminal_escapes_come_as_they_are(host: SshHost) -> None:
    every = bytes(range(256)) * 300
    assert done(host, Command("cat", stdin=every)).stdout == every
    assert done(host, "printf '\\033[31mred\\033[0m\\007'").stdout == b"\x1b[31mred\x1b[0m\x07"


def test_much_output_is_counted_cut_and_never_all_in_memory(host: SshHost) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = done(host, "head -c 200000000 /dev/zero; echo end >&2", max_bytes=1_000_000)
    assert (len(found.stdout), found.exit.stdout_bytes, found.exit.is_cut) == (1_000_000, 200_000_000, True)
    assert found.exit.code == 0
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000, "KB more than before"


def test_who_reads_slowly_holds_the_host_back(host: SshHost) -> None:
    marker = host.home / "went-on"
    host.home.chmod(0o777)

    async def story() -> int:
        async with Pool() as pool, pool.lease(target_of(host), keys_of(host)) as connection:
            command = Command(f"head -c 20000000 /dev/zero; touch {marker}")
            async with aclosing(run(connection, command, max_bytes=100_000_000)) as parts:
                size = len((await anext(parts)).data)  # type: ignore[union-attr]
                await asyncio.sleep(0.5)
                assert not marker.exists()
                return size + sum([len(part.data) async for part in parts if not isinstance(part, Exit)])

    assert asyncio.run(story()) == 20_000_000
    assert marker.exists()


@pytest.mark.parametrize(
    ("user", "become", "who"),
    [
        ("ops", Become("sudo", "root", OPS), "root"),
        ("ops", Become("sudo", "free", OPS), "free"),
        ("free", Become("sudo", "root"), "root"),
        ("free", Become("sudo", "root", "not asked for"), "root"),
        ("ops", Become("su", "root", ROOT_PASSWORD), "root"),
        ("root", Become("su", "ops"), "ops"),
        ("ops", Become("doas", "root", OPS), "root"),
        ("free", Become("doas", "root"), "root"),
    ],
)
def test_it_becomes_another_user_and_the_command_gets_its_own_input(
    host: SshHost, user: str, become: Become, who: str
) -> None:
    found = done(host, Command("id -un; cat; exit 3", stdin=b"for the command\n"), user, become=become)
    assert found.stdout.replace(b"\r\n", b"\n") == f"{who}\nfor the command\n".encode()
    assert found.exit.code == 3
    assert become.password.encode() not in found.stdout + found.stderr or not become.password


def test_a_wrong_password_is_told_and_not_repeated(host: SshHost) -> None:
    async def refused(method: str) -> None:
        with pytest.raises(BecomeRefused, match=method) as caught:
            await said(target_of(host), keys_of(host), "id", Become(method, "root", "wrong one"))
        assert "wrong one" not in str(caught.value)

    async def story() -> None:
        await asyncio.gather(*map(refused, ("sudo", "su", "doas")))

    asyncio.run(story())


def test_no_password_where_one_is_needed_is_told(host: SshHost) -> None:
    for method in ("sudo", "doas"):
        with pytest.raises(BecomeRefused):
            done(host, "id", become=Become(method, "root"))


def test_no_password_stands_on_a_command_line_or_in_an_environment(host: SshHost) -> None:
    script = "cat /proc/*/cmdline /proc/*/environ 2>/dev/null | tr '\\0' '\\n' | grep -c 'ops wor[d]' || true"
    assert done(host, script, become=Become("sudo", "root", OPS)).stdout.strip() == b"0"


def _alive(pid_file: Path) -> bool:
    try:
        os.kill(int(pid_file.read_text()), 0)
    except (ProcessLookupError, ValueError):
        return False
    return "Z" not in Path(f"/proc/{int(pid_file.read_text())}/stat").read_text().split(")")[1][:3]


STUBBORN = (
    "trap '' TERM HUP; sleep 600 & echo $! > {file}.child; echo $$ > {file}; echo ready; while :; do sleep 1; done"
)


async def _given_up(host: SshHost, how: str, become: Become | None) -> Path:
    """Start what resists, give it up, return where its process ids stand."""
    file = host.home / f"pid-{how}-{'root' if become else 'ops'}"
    ready = asyncio.Event()

    async def work() -> Exit | None:
        async with Pool() as pool, pool.lease(target_of(host), keys_of(host)) as connection:
            patience = Patience(run=1 if how == "timeout" else None)
            command = Command(STUBBORN.format(file=file))
            async with aclosing(run(connection, command, become=become, patience=patience)) as parts:
                async for part in parts:
                    if isinstance(part, Exit):
                        return part
                    ready.set()
                    if how == "leave":
                        return None
        return None

    task = asyncio.create_task(work())
    await asyncio.wait_for(ready.wait(), 30)
    if how == "cancel":
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    elif how == "timeout":
        end = await task
        assert end is not None
        assert (end.is_timed_out, end.code) == (True, None)
    else:
        await task
    return file


def test_a_command_that_is_given_up_is_gone_with_its_children(host: SshHost) -> None:
    host.home.chmod(0o777)

    async def story() -> list[Path]:
        root = Become("sudo", "root", OPS)
        ways = (("cancel", None), ("leave", None), ("timeout", None), ("cancel", root), ("timeout", root))
        return await asyncio.gather(*(_given_up(host, how, become) for how, become in ways))

    for file in asyncio.run(story()):
        child = Path(f"{file}.child")
        wait_until(lambda f=file, c=child: not _alive(f) and not _alive(c), f"{file.name} to be gone", 20)  # type: ignore[misc]


def test_a_command_that_is_given_up_before_its_process_is_known_is_gone(
    host: SshHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.home.chmod(0o777)
    file = host.home / "pid-early"
    told = Beginning.pid

    async def late(self: Beginning, session: Session, seconds: float) -> int | None:
        await until(lambda: file.exists() and bool(file.read_text().strip()))
        await asyncio.sleep(0.3)
        return await told(self, session, seconds)

    monkeypatch.setattr(Beginning, "pid", late)

    async def story() -> None:
        async with Pool() as pool, pool.lease(target_of(host), keys_of(host)) as connection:
            task = asyncio.create_task(result_of(run(connection, Command(f"echo $$ > {file}; sleep 600"))))
            await until(lambda: file.exists() and bool(file.read_text().strip()))
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(story())
    wait_until(lambda: not _alive(file), "it to be gone")


def test_all_commands_of_one_connection_can_be_given_up_at_once(host: SshHost) -> None:
    """sshd lets no more than ten sessions in: those that kill wait for those that are killed."""
    host.home.chmod(0o777)
    files = [host.home / f"pid-all-{number}" for number in range(8)]

    async def one(pool: Pool, file: Path) -> None:
        async with pool.lease(target_of(host), keys_of(host)) as connection:
            await result_of(run(connection, Command(f"echo $$ > {file}; sleep 600")))

    async def story() -> None:
        async with Pool() as pool:
            tasks = [asyncio.create_task(one(pool, file)) for file in files]
            await until(lambda: all(file.exists() and file.read_text().strip() for file in files))
            assert pool.count() == 1
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(story())
    wait_until(lambda: not any(map(_alive, files)), "all to be gone")


def test_a_connection_that_ends_meanwhile_says_that_it_is_not_known() -> None:
    async def story(host: SshHost) -> None:
        async with Pool() as pool, pool.lease(target_of(host), keys_of(host)) as connection:
            parts = run(connection, Command("echo a; sleep 60"))
            await anext(parts)
            host.drop_connections()
            with pytest.raises(Lost):
                await anext(parts)

    with ssh_host() as host:
        asyncio.run(story(host))


def test_code_without_a_loop_shares_the_pool_of_its_process(host: SshHost) -> None:
    async def work() -> bytes:
        async with loop.pool().lease(target_of(host), keys_of(host)) as connection:
            return (await result_of(run(connection, Command("echo x")))).stdout

    async def elsewhere() -> bytes:
        return await loop.wrap(work())

    async def count() -> int:
        return loop.pool().count()

    try:
        assert loop.run(work()) == asyncio.run(elsewhere()) == b"x\n"
        assert loop.run(count()) == 1
    finally:
        loop.stop()


def test_the_way_there_does_not_depend_on_the_event_loop(host: SshHost) -> None:
    began = time.monotonic()
    assert asyncio.run(said(target_of(host), keys_of(host), "true")).exit.code == 0
    assert time.monotonic() - began < 30
