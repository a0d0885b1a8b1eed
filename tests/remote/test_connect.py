"""Connections to real SSH servers: each way to sign in, host keys, jump hosts, and everything that is refused."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from tests.lab.ssh_hosts import OPS, SshHost, odd_server, ssh_host

from quarterdeck.remote.errors import (
    HostKeyChanged,
    HostKeyRefused,
    HostKeyUnknown,
    PasswordExpired,
    Phase,
    RemoteError,
    SignInRefused,
    Unreachable,
)
from quarterdeck.remote.host_keys import HostKeys, Verdict
from quarterdeck.remote.pool import Limits, Pool
from quarterdeck.remote.running import Result, result_of, run
from quarterdeck.remote.scripts import Command
from quarterdeck.remote.target import Become, Patience, SignIn, Target, parse_jumps

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("remote")]


@pytest.fixture(scope="module")
def host() -> Iterator[SshHost]:
    with ssh_host() as running:
        yield running


def target_of(host: SshHost, user: str = "ops", **more: Any) -> Target:
    return Target("127.0.0.1", host.port, user, SignIn(private_key=host.key), **more)


def keys_of(*hosts: SshHost) -> HostKeys:
    return HostKeys.of({("127.0.0.1", host.port): [host.host_key] for host in hosts})


async def said(target: Target, keys: HostKeys, text: str, become: Become | None = None) -> Result:
    async with Pool() as pool, pool.lease(target, keys, Patience(2, 2, 5)) as connection:
        return await result_of(run(connection, Command(text), become=become))


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not happened():
            await asyncio.sleep(0.02)


def raised(
    target: Target, keys: HostKeys, patience: Patience | None = None, limits: Limits | None = None
) -> RemoteError:
    async def attempt() -> None:
        async with Pool(limits or Limits(attempts=1)) as pool, pool.lease(target, keys, patience or Patience(2, 2, 5)):
            pass

    with pytest.raises(RemoteError) as caught:
        asyncio.run(attempt())
    return caught.value


def test_a_key_a_certificate_and_a_password_sign_in(host: SshHost) -> None:
    key, certificate = host.certificate("ops")
    for sign_in in (
        SignIn(private_key=host.key),
        SignIn(private_key=key, certificate=certificate),
        SignIn(password=OPS),
    ):
        target = replace(target_of(host), sign_in=sign_in)
        assert asyncio.run(said(target, keys_of(host), "id -un")).stdout == b"ops\n"


@pytest.mark.parametrize("sign_in", [SignIn(), SignIn(password="wrong")])
def test_who_is_not_let_in_is_told(host: SshHost, sign_in: SignIn) -> None:
    error = raised(replace(target_of(host), sign_in=sign_in), keys_of(host))
    assert isinstance(error, SignInRefused)
    assert "wrong" not in str(error)
    stranger = replace(target_of(host), sign_in=SignIn(private_key=host.certificate("ops")[0]))
    assert isinstance(raised(stranger, keys_of(host)), SignInRefused)


def test_a_certificate_for_somebody_else_is_refused(host: SshHost) -> None:
    key, certificate = host.certificate("free")
    error = raised(replace(target_of(host), sign_in=SignIn(private_key=key, certificate=certificate)), keys_of(host))
    assert isinstance(error, SignInRefused)


def test_an_expired_password_is_told(host: SshHost) -> None:
    target = replace(target_of(host, "late"), sign_in=SignIn(password="late word"))
    with pytest.raises(PasswordExpired):
        asyncio.run(said(target, keys_of(host), "id"))


def test_an_unknown_host_key_is_refused_before_the_sign_in_and_noted(host: SshHost) -> None:
    keys = HostKeys()
    error = raised(replace(target_of(host), sign_in=SignIn(password=OPS)), keys)
    assert isinstance(error, HostKeyUnknown)
    assert [(one.key, one.verdict) for one in keys.seen] == [(" ".join(host.host_key.split()[:2]), Verdict.NEW)]
    assert keys.seen[0].fingerprint in error.message


def test_a_first_key_may_be_accepted_and_counts_from_then_on(host: SshHost) -> None:
    keys = HostKeys(accepts_new=True)
    assert asyncio.run(said(target_of(host), keys, "echo x")).stdout == b"x\n"
    assert [one.verdict for one in keys.seen] == [Verdict.ACCEPTED]
    assert asyncio.run(said(target_of(host), HostKeys(keys.approved), "echo x")).stdout == b"x\n"


def test_a_changed_host_key_is_an_alarm_even_where_new_ones_are_accepted() -> None:
    with ssh_host() as host:
        keys = HostKeys(dict(keys_of(host).approved), accepts_new=True)
        host.renew_host_key()
        error = raised(target_of(host), keys)
    assert isinstance(error, HostKeyChanged)
    assert keys.seen[0].verdict is Verdict.CHANGED


def test_a_refused_host_key_never_counts_and_a_known_place_has_no_first_contact(host: SshHost) -> None:
    place = ("127.0.0.1", host.port)
    keys = HostKeys.of({}, accepts_new=True, refused={place: [host.host_key]})
    assert isinstance(raised(target_of(host), keys), HostKeyRefused)
    assert keys.seen[0].verdict is Verdict.REFUSED
    assert isinstance(raised(target_of(host), HostKeys.of({}, accepts_new=True, refused={place: []})), HostKeyUnknown)


def test_a_warm_connection_is_not_for_who_did_not_accept_its_host_key(host: SshHost) -> None:
    async def story() -> None:
        async with Pool() as pool:
            async with pool.lease(target_of(host), HostKeys(accepts_new=True)):
                pass
            async with pool.lease(target_of(host), keys_of(host)):
                assert pool.count() == 1
            with pytest.raises(HostKeyUnknown):
                async with pool.lease(target_of(host), HostKeys()):
                    pass

    asyncio.run(story())


def _silent(connection: socket.socket) -> None:
    while connection.recv(1024):
        pass


def _half(connection: socket.socket) -> None:
    connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
    _silent(connection)


def _closing(connection: socket.socket) -> None:
    connection.close()


def _web(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 100)
    connection.close()


@pytest.mark.parametrize("behave", [_silent, _half, _closing, _web])
def test_a_server_that_does_not_finish_the_handshake_is_given_up(behave: Any) -> None:
    with odd_server(behave) as port:
        began = time.monotonic()
        error = raised(Target("127.0.0.1", port), HostKeys(), Patience(5, 0.5, 5))
    assert isinstance(error, Unreachable)
    assert error.phase is Phase.HANDSHAKE
    assert time.monotonic() - began < 20


def test_a_closed_port_and_an_unknown_name_are_told() -> None:
    with odd_server(_closing) as port:
        pass
    error = raised(Target("127.0.0.1", port), HostKeys())
    assert (type(error), error.phase) == (Unreachable, Phase.CONNECT)
    assert isinstance(raised(Target("nowhere.invalid"), HostKeys()), Unreachable)


def test_what_a_busy_server_drops_is_tried_again(host: SshHost) -> None:
    """As sshd does over MaxStartups: it closes before its banner."""
    dropped: list[int] = []

    def behave(connection: socket.socket) -> None:
        if len(dropped) < 2:
            dropped.append(1)
            connection.close()
            return
        _pass_on(connection, host.port)

    with odd_server(behave) as port:
        keys = HostKeys.of({("127.0.0.1", port): [host.host_key]})
        found = asyncio.run(said(replace(target_of(host), port=port), keys, "echo there"))
    assert (found.stdout, len(dropped)) == (b"there\n", 2)


def _pass_on(near: socket.socket, port: int) -> None:
    import selectors

    with near, socket.create_connection(("127.0.0.1", port)) as far, selectors.DefaultSelector() as both:
        both.register(near, selectors.EVENT_READ, far)
        both.register(far, selectors.EVENT_READ, near)
        while True:
            for key, _events in both.select():
                data = key.fileobj.recv(65536)  # type: ignore[union-attr]
                if not data:
                    return
                key.data.sendall(data)


def test_it_goes_through_jump_hosts_and_shares_their_connection(host: SshHost) -> None:
    async def story(bastion: SshHost) -> None:
        jump = target_of(bastion)
        keys = keys_of(host, bastion)
        async with Pool() as pool:
            for user in ("ops", "root"):
                async with pool.lease(target_of(host, user, jumps=(jump,)), keys) as connection:
                    found = await result_of(run(connection, Command("echo $SSH_CONNECTION; id -un")))
                    assert found.stdout.decode().split()[-1] == user
            assert pool.count() == 3, "one to the bastion, two through it"
            async with pool.lease(target_of(host, "free", jumps=(jump, jump)), keys):
                pass

    with ssh_host() as bastion:
        asyncio.run(story(bastion))
        error = raised(target_of(host, jumps=(replace(target_of(bastion), port=1),)), keys_of(host, bastion))
        assert isinstance(error, Unreachable)
        assert ":1" in error.message


def test_files_in_the_form_of_ssh_config_are_asked(host: SshHost) -> None:
    path = host.home / "ssh_config"
    path.write_text(f"Host lab\n  HostName 127.0.0.1\n  Port {host.port}\n  User ops\n")
    target = Target("lab", host.port, "ops", SignIn(private_key=host.key), config=(str(path),))
    keys = HostKeys.of({("lab", host.port): [host.host_key]})
    assert asyncio.run(said(target, keys, "echo x")).stdout == b"x\n"


def test_many_commands_share_few_connections_and_a_lost_one_is_opened_again() -> None:
    async def story(host: SshHost) -> None:
        keys, target = keys_of(host), target_of(host)

        async def one(number: int) -> bytes:
            async with pool.lease(target, keys) as connection:
                return (await result_of(run(connection, Command(f"sleep 0.2; echo {number}")))).stdout

        async with Pool(Limits(idle_seconds=0.5)) as pool:
            found = await asyncio.gather(*(one(number) for number in range(20)))
            assert found == [f"{number}\n".encode() for number in range(20)]
            assert 1 <= pool.count() <= 3
            host.drop_connections()
            await until(lambda: not pool.count())
            assert await one(21) == b"21\n"
            await until(lambda: not pool.count())  # idle ones are closed

    with ssh_host() as host:
        asyncio.run(story(host))


def test_one_that_makes_room_is_not_taken_while_it_closes(host: SshHost) -> None:
    async def story() -> list[bytes]:
        async with Pool(Limits(connections=1)) as pool:

            async def one(user: str) -> bytes:
                async with pool.lease(target_of(host, user), keys_of(host)) as connection:
                    return (await result_of(run(connection, Command("id -un")))).stdout

            await one("ops")
            found = []
            for _ in range(10):
                # The first closes what the second wants.
                found += await asyncio.gather(one("free"), one("ops"))
            return found

    assert asyncio.run(story()) == [b"free\n", b"ops\n"] * 10


def test_the_agent_signs_in(host: SshHost) -> None:
    import subprocess

    agent = host.home / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", agent], stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 10
        while not agent.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        environment = {"SSH_AUTH_SOCK": str(agent), "PATH": "/usr/bin:/bin"}
        subprocess.run(["ssh-add", "-q", host.home / "user"], env=environment, check=True)
        target = replace(target_of(host), sign_in=SignIn(agent_path=str(agent)))
        assert asyncio.run(said(target, keys_of(host), "echo x")).stdout == b"x\n"
    finally:
        process.terminate()
        process.wait()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("none", []),
        ("bastion", [("me", "bastion", 22)]),
        ("ops@bastion:2222,inner", [("ops", "bastion", 2222), ("me", "inner", 22)]),
        ("ops@[2001:db8::1]:2222", [("ops", "2001:db8::1", 2222)]),
        ("2001:db8::1", [("me", "2001:db8::1", 22)]),
    ],
)
def test_jump_hosts_are_read_as_proxyjump_has_them(text: str, expected: list[Any]) -> None:
    assert [(one.user, one.address, one.port) for one in parse_jumps(text, "me", SignIn())] == expected


@pytest.mark.parametrize("text", ["-oProxyCommand=x", "ops@", "host:port", "host:0", "host:99999"])
def test_what_is_no_jump_host_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="jump host"):
        parse_jumps(text, "me", SignIn())
