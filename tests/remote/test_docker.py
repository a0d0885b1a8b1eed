"""A real Docker Engine: by its socket, by TLS, and over a warm SSH connection of a real host."""

from __future__ import annotations

import asyncio
import http.server
import io
import shutil
import tarfile
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import asyncssh
import docker as sdk
import pytest
from tests.connectors.dockerd import IMAGE
from tests.connectors.dockerd import engine as dockerd
from tests.lab.certificates import make_certificate
from tests.lab.parts import Server, answers, directory, free_port, need
from tests.lab.ssh_hosts import OPS, SshHost, ssh_host
from tests.remote.test_connect import keys_of, target_of

from quarterdeck.core.errors import BadInput, Conflict, Denied, NotFound, OpsError
from quarterdeck.remote import loop
from quarterdeck.remote import running as host_running
from quarterdeck.remote.docker import compose, containers, images, networks, pruning
from quarterdeck.remote.docker.dialing import Dial, by_socket, by_tls
from quarterdeck.remote.docker.engine import Engine, engine
from quarterdeck.remote.docker.hosts import engine_on, killer
from quarterdeck.remote.docker.images import Progress
from quarterdeck.remote.docker.replacing import Replaced, replace
from quarterdeck.remote.docker.running import Started, execute, run
from quarterdeck.remote.docker.specs import Spec
from quarterdeck.remote.errors import EngineFailed, EngineUnreachable
from quarterdeck.remote.metering import Exit
from quarterdeck.remote.sessions import Chunk, Stream
from quarterdeck.remote.target import Become
from quarterdeck.remote.terminals import Size, in_container, open_terminal

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("dockerd remote"), pytest.mark.timeout(300)]
T = TypeVar("T")
SHELL = "shop:1"
SERVES = "trap 'exit 0' TERM; echo served; while :; do sleep 0.1; done"


@dataclass(frozen=True)
class Lab:
    """A dockerd with three ways to it."""

    socket: str
    tls_port: int
    certificate: str
    key: str
    client: sdk.DockerClient
    host: SshHost


def _file_system() -> bytes:
    """busybox under the names that the tests use."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add(Path(shutil.which("busybox") or "/bin/busybox").resolve(), arcname="bin/busybox")
        for name in (
            "sh",
            "grep",
            "sleep",
            "cat",
            "id",
            "env",
            "head",
            "true",
            "false",
            "setsid",
            "hostname",
            "ip",
            "tr",
            "tty",
        ):
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
        account = tarfile.TarInfo("etc/passwd")
        text = b"root:x:0:0::/:/bin/sh\nweb:x:1000:1000::/:/bin/sh\n"
        account.size = len(text)
        archive.addfile(account, io.BytesIO(text))
    return buffer.getvalue()


def _load(client: sdk.DockerClient) -> None:
    data = _file_system()
    serves = f'CMD ["sh", "-c", "{SERVES}"]'
    for tag, changes in {
        "1": [serves, "ENV VERSION=1", "VOLUME /data", "LABEL of=image"],
        "2": [serves, "ENV VERSION=2", "VOLUME /data"],
        "ends": ['CMD ["sh", "-c", "exit 3"]'],
        "sick": [serves, "HEALTHCHECK --interval=1s --timeout=5s --retries=1 CMD false"],
        "well": [serves, "HEALTHCHECK --interval=1s --timeout=5s --retries=3 CMD true"],
    }.items():
        client.api.import_image_from_data(data, repository="shop", tag=tag, changes=changes)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    need("dockerd", "docker-compose", "docker-registry", "busybox")
    with directory() as home, ssh_host() as host:
        certificate, key = make_certificate(home)
        port = free_port()
        more = ["--host", f"tcp://127.0.0.1:{port}", "--tlsverify", "--tlscacert", str(certificate)]
        with dockerd(*more, "--tlscert", str(certificate), "--tlskey", str(key)) as url:
            socket = url.removeprefix("unix://")
            shutil.chown(socket, 4001)
            Path(socket).parent.chmod(0o711)
            with closing(sdk.DockerClient(base_url=url, version="auto")) as client:
                _load(client)
                yield Lab(socket, port, certificate.read_text(), key.read_text(), client, host)
    loop.stop()


@pytest.fixture(autouse=True)
def _empty(lab: Lab) -> Iterator[None]:
    yield
    for one in lab.client.containers.list(all=True):
        one.remove(force=True, v=True)
    lab.client.networks.prune()


def on(lab: Lab, work: Callable[[Engine], Awaitable[T]], dial: Dial | None = None) -> T:
    async def story() -> T:
        async with engine(dial or by_socket(lab.socket), "lab") as found:
            return await work(found)

    return loop.run(story())


@asynccontextmanager
async def over_ssh(
    lab: Lab, user: str = "ops", path: str = ""
) -> AsyncIterator[tuple[asyncssh.SSHClientConnection, Engine]]:
    async with (
        loop.pool().lease(target_of(lab.host, user), keys_of(lab.host)) as connection,
        engine_on(connection, "lab", path or lab.socket) as found,
    ):
        yield connection, found


async def gathered(parts: AsyncGenerator[Any, None]) -> tuple[bytes, bytes, Any]:
    out: dict[Stream, bytes] = dict.fromkeys(Stream, b"")
    end = None
    async with aclosing(parts):
        async for part in parts:
            if isinstance(part, Chunk):
                out[part.stream] += part.data
            elif isinstance(part, Exit | Replaced):
                end = part
    return out[Stream.STDOUT], out[Stream.STDERR], end


async def serve(engine: Engine, name: str, **more: Any) -> str:
    spec = Spec(**{"image": SHELL, "command": ("sh", "-c", SERVES), "name": name, **more})
    async with aclosing(run(engine, spec, is_attached=False, pulls="never")) as parts:
        (made,) = [part.id async for part in parts if isinstance(part, Started)]
        return made


def test_three_ways_lead_to_it(lab: Lab) -> None:
    async def version(engine: Engine) -> str:
        return str((await engine.call("GET", "/version"))["Version"])

    async def of_host() -> str:
        async with over_ssh(lab) as (_connection, found):
            return await version(found)

    tls = by_tls("localhost", lab.tls_port, lab.certificate, lab.certificate, lab.key)
    assert on(lab, version) == on(lab, version, tls) == loop.run(of_host()) == lab.client.version()["Version"]


def test_who_is_not_let_in_or_finds_nothing_is_told(lab: Lab) -> None:
    async def ping(engine: Engine) -> object:
        return await containers.ps(engine)

    async def try_host(user: str, path: str) -> None:
        async with over_ssh(lab, user, path) as (_connection, found):
            await ping(found)

    for dial in (by_socket("/nonexistent"), by_tls("localhost", free_port(), lab.certificate)):
        with pytest.raises(EngineUnreachable, match="does not answer"):
            on(lab, ping, dial)
    with pytest.raises((EngineUnreachable, EngineFailed)):
        on(lab, ping, by_tls("localhost", lab.tls_port, lab.certificate))
    for user, path in (("free", lab.socket), ("ops", "/nonexistent")):
        with pytest.raises(EngineUnreachable):
            loop.run(try_host(user, path))
    with pytest.raises(EngineUnreachable), _WebServer() as port:
        on(lab, ping, lambda: asyncio.open_connection("127.0.0.1", port))
    with pytest.raises(BadInput, match="certificates"):
        by_tls("localhost", 1, "no PEM")


class _WebServer:
    """A web server that is no Docker Engine."""

    def __enter__(self) -> int:
        self._server = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return int(self._server.server_address[1])

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def test_a_container_says_what_it_says_and_is_removed(lab: Lab) -> None:
    script = "echo out $GREETING; id -u; hostname >&2; head -c 3000000 /dev/zero; exit 7"
    spec = Spec(
        SHELL, ("sh", "-c", script), environment={"GREETING": "it's $(id)"}, user="web", hostname="shop",
        memory_bytes=64 << 20, cpus=0.5, processes=50, labels={"of": "test"}, is_read_only=True, has_init=True,
    )  # fmt: skip
    out, err, end = on(lab, lambda engine: gathered(run(engine, spec, is_removed=True, pulls="never")))
    assert out == b"out it's $(id)\n1000\n" + bytes(3_000_000)
    assert (err, end.code, end.stdout_bytes) == (b"shop\n", 7, 3_000_020)
    assert lab.client.containers.list(all=True) == []
    terminal = Spec(SHELL, ("sh", "-c", "echo a; echo b >&2"), has_terminal=True)
    out, err, end = on(lab, lambda engine: gathered(run(engine, terminal, is_removed=True, max_bytes=4)))
    assert (out, err, end.is_cut, end.stdout_bytes) == (b"a\r\nb", b"", True, 6)


def test_a_container_is_as_it_was_asked_for(lab: Lab) -> None:
    port = free_port()
    spec = {
        "ports": (f"127.0.0.1:{port}:80",),
        "mounts": ("/etc/hostname:/h:ro", "named:/n"),
        "restart": "on-failure:3",
    }
    on(lab, lambda engine: serve(engine, "web", labels={"app": "web"}, cpus=1.5, memory_bytes=64 << 20, **spec))
    found = lab.client.containers.get("web").attrs
    host = found["HostConfig"]
    assert host["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 3}
    assert (host["NanoCpus"], host["Memory"]) == (1_500_000_000, 64 << 20)
    assert host["PortBindings"] == {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(port)}]}
    (row,) = on(lab, lambda engine: containers.ps(engine, filters={"label": ["app=web"]}))
    assert (row.name, row.state, row.image, row.networks) == ("web", "running", SHELL, ["bridge"])
    assert row.ports == [f"127.0.0.1:{port}->80/tcp"]
    assert {"/etc/hostname:/h:ro", "named:/n"} <= set(row.mounts)
    assert on(lab, lambda engine: containers.ps(engine, filters={"label": ["app=api"]})) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"image": ""}, {"name": "a/b"}, {"ports": ("x",)}, {"ports": ("99999:80",)}, {"mounts": ("a:b",)},
        {"restart": "sometimes"}, {"restart": "always:3"}, {"network": "host", "ports": ("80",)},
        {"environment": {"A=": "x"}},
    ],
)  # fmt: skip
def test_what_no_container_can_be_is_refused(lab: Lab, wrong: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        on(lab, lambda engine: serve(engine, **{"name": "x", **wrong}))
    assert lab.client.containers.list(all=True) == []


@pytest.mark.parametrize("how", ["time", "cancel", "leave"])
def test_an_attached_container_ends_with_who_attached(lab: Lab, how: str) -> None:
    async def work(engine: Engine) -> None:
        began = asyncio.Event()

        async def watch() -> Exit | None:
            spec = Spec(SHELL, ("sh", "-c", SERVES), name="attached")
            async with aclosing(run(engine, spec, seconds=0.5 if how == "time" else None, pulls="never")) as parts:
                async for part in parts:
                    if isinstance(part, Exit):
                        return part
                    if isinstance(part, Chunk):
                        began.set()
                        if how == "leave":
                            return None
            return None

        task = asyncio.create_task(watch())
        await began.wait()
        if how == "cancel":
            task.cancel()
        (end,) = await asyncio.gather(task, return_exceptions=True)
        assert not isinstance(end, Exit) or (end.is_timed_out, end.code) == (True, None)
        assert not (await containers.inspect(engine, "attached"))["State"]["Running"]

    on(lab, work)


def test_start_stop_pause_kill_rename_and_remove(lab: Lab) -> None:
    async def work(engine: Engine) -> None:
        await serve(engine, "one")
        assert await containers.start(engine, "one") is False
        assert await containers.pause(engine, "one")
        with pytest.raises(Conflict):
            await containers.pause(engine, "one")
        assert await containers.unpause(engine, "one")
        assert await containers.restart(engine, "one", grace_seconds=2)
        assert await containers.stop(engine, "one", grace_seconds=2)
        assert await containers.stop(engine, "one") is False
        with pytest.raises(Conflict):
            await containers.kill(engine, "one")
        assert await containers.start(engine, "one")
        with pytest.raises(Conflict):
            await containers.remove(engine, "one")
        assert await containers.kill(engine, "one")
        await containers.rename(engine, "one", "two")
        await containers.remove(engine, "two", by_force=True)
        for name in ("two", "../images/json", "a?b=c#d", "a/../b"):
            with pytest.raises((NotFound, BadInput)):
                await containers.inspect(engine, name)

    on(lab, work)


def test_logs_have_their_ends_times_and_streams(lab: Lab) -> None:
    script = "for i in 1 2 3; do echo out$i; echo err$i >&2; done; sleep 0.3; echo last"

    async def work(engine: Engine) -> None:
        await serve(engine, "talks", command=("sh", "-c", script))
        out, err, _end = await gathered(containers.logs(engine, "talks", is_followed=True))
        assert (out, err) == (b"out1\nout2\nout3\nlast\n", b"err1\nerr2\nerr3\n")
        assert (await gathered(containers.logs(engine, "talks", tail=1)))[0] == b"last\n"
        timed = (await gathered(containers.logs(engine, "talks", tail=1, with_times=True)))[0]
        assert timed.startswith(time.strftime("%Y-", time.gmtime()).encode())
        assert (await gathered(containers.logs(engine, "talks", since=time.time() + 60)))[0] == b""

    on(lab, work)


def test_a_command_in_a_container(lab: Lab) -> None:
    async def work(engine: Engine) -> None:
        await serve(engine, "web")
        script = "id -u; pwd; echo $A; echo err >&2; exit 5"
        parts = execute(engine, "web", ["sh", "-c", script], user="web", directory="/bin", environment={"A": "b c"})
        out, err, end = await gathered(parts)
        assert (out, err, end.code) == (b"1000\n/bin\nb c\n", b"err\n", 5)
        out, err, end = await gathered(execute(engine, "web", ["sh", "-c", "echo x >&2"], has_terminal=True))
        assert (out, err) == (b"x\r\n", b"")
        assert (await gathered(execute(engine, "web", ["no-such"])))[2].code in (126, 127)
        big = execute(engine, "web", ["head", "-c", "30000000", "/dev/zero"], max_bytes=1000)
        out, err, end = await gathered(big)
        assert (len(out), end.stdout_bytes, end.is_cut, end.code) == (1000, 30_000_000, True, 0)
        with pytest.raises(NotFound):
            await gathered(execute(engine, "nobody", ["id"]))
        await containers.stop(engine, "web", grace_seconds=1)
        with pytest.raises(Conflict):
            await gathered(execute(engine, "web", ["id"]))

    on(lab, work)


def test_a_terminal_in_a_container(lab: Lab) -> None:
    async def work() -> None:
        async with over_ssh(lab) as (connection, engine):
            await serve(engine, "web")
            # The host's docker command finds this engine where the environment of its account says.
            command = f"export DOCKER_HOST=unix://{lab.socket}; {in_container('web')}"
            terminal = await open_terminal(connection, Size(81, 25), command)
            await terminal.write(b"echo in-$VERSION-$TERM; tty; exit 3\n")
            printed = b""
            while (data := await terminal.next()) is not None:
                printed += data
            assert b"in-1-xterm-256color" in printed
            assert b"/dev/pts/" in printed
            assert terminal.exit_code == 3

    loop.run(work())


async def carried(engine: Engine, container: str) -> list[str]:
    """Return the processes of a container but its first."""
    found = await engine.call("GET", f"/containers/{container}/top", query={"ps_args": "-eo pid,args"})
    return [" ".join(row[1:]) for row in found["Processes"] if "4[0-9][0-9]" in row[-1] or "sleep 4" in row[-1]]


@pytest.mark.parametrize("how", ["time", "cancel"])
def test_a_command_that_is_given_up_is_gone_with_its_children(lab: Lab, how: str) -> None:
    stubborn = "trap '' TERM; " if how == "time" else ""
    script = f"{stubborn}setsid sleep 401 & sleep 402 & echo ready; while :; do sleep 0.1; done"

    async def work(engine: Engine) -> None:
        await serve(engine, "web")
        began = asyncio.Event()

        async def watch() -> None:
            seconds = 1 if how == "time" else None
            parts = execute(engine, "web", ["sh", "-c", script], user="web", seconds=seconds)
            async with aclosing(parts):
                async for part in parts:
                    if isinstance(part, Exit):
                        assert part.is_timed_out
                    began.set()

        task = asyncio.create_task(watch())
        await began.wait()
        assert len(await carried(engine, "web")) >= 2
        if how == "cancel":
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await carried(engine, "web") == []
        assert (await containers.inspect(engine, "web"))["State"]["Running"]

    on(lab, work)


def test_where_there_is_no_shell_the_host_ends_it(lab: Lab) -> None:
    async def story() -> None:
        async with over_ssh(lab) as (connection, engine):
            await serve(engine, "bare", image=IMAGE, command=("/bin/sleep", "600"))
            kill = killer(connection, Become("sudo", "root", OPS))
            out = await gathered(execute(engine, "bare", ["/bin/sleep", "403"], seconds=0.5, kill_on_host=kill))
            assert out[2].is_timed_out
            assert await carried(engine, "bare") == []

    loop.run(story())


def test_networks(lab: Lab) -> None:
    async def work(engine: Engine) -> None:
        assert {"bridge", "host", "none"} <= {one.name for one in await networks.networks(engine)}
        await networks.create(engine, "back", subnet="10.213.0.0/24", is_internal=True, labels={"a": "b"})
        with pytest.raises(Conflict):
            await networks.create(engine, "back")
        await serve(engine, "db", network="back", aliases=("database",))
        await serve(engine, "api")
        await networks.connect(engine, "back", "api", address="10.213.0.77")
        found = await networks.inspect(engine, "back")
        assert (found.containers, found.subnets, found.is_internal) == (["api", "db"], ["10.213.0.0/24"], True)
        _out, _err, end = await gathered(execute(engine, "api", ["sh", "-c", "ip addr | grep -q 10.213.0.77"]))
        assert end.code == 0
        with pytest.raises(OpsError):
            await networks.remove(engine, "back")
        await serve(engine, "shares", network="container:db")
        await serve(engine, "alone", network="none")
        await serve(engine, "open", network="host")
        modes = {
            one.name: (await containers.inspect(engine, one.name))["HostConfig"]["NetworkMode"]
            for one in await containers.ps(engine)
        }
        assert (modes["alone"], modes["open"], modes["shares"].startswith("container:")) == ("none", "host", True)
        for name in ("api", "db"):
            await networks.disconnect(engine, "back", name, by_force=True)
        await networks.remove(engine, "back")
        with pytest.raises(NotFound):
            await networks.inspect(engine, "back")
        with pytest.raises((Denied, Conflict)):
            await networks.remove(engine, "bridge")

    on(lab, work)


def test_what_it_uses_and_what_happens(lab: Lab) -> None:
    async def work(engine: Engine) -> None:
        began = time.time()
        await serve(engine, "busy", command=("sh", "-c", "while :; do :; done"), memory_bytes=64 << 20)
        found = await containers.stats(engine, "busy")
        assert 0.05 < found.cpu_cores < 1.5
        assert 0 < found.memory_bytes < found.memory_limit_bytes == 64 << 20
        assert found.processes == 1
        await containers.kill(engine, "busy")
        filters = {"container": ["busy"]}
        parts = containers.events(engine, since=began - 1, until=time.time() + 1, filters=filters)
        async with aclosing(parts):
            seen = [one["Action"] async for one in parts]
        assert seen[:2] == ["create", "start"] or {"create", "start", "kill"} <= set(seen)

    on(lab, work)


def test_pruning_counts_before_it_removes(lab: Lab) -> None:
    async def work(engine: Engine) -> None:
        await serve(engine, "kept")
        for number in range(2):
            await serve(engine, f"done{number}", command=("sh", "-c", "head -c 100000 /dev/zero > /big"))
            await engine.call("POST", f"/containers/done{number}/wait")
        await networks.create(engine, "unused")
        await engine.call("POST", "/volumes/create", body={})
        lab.client.api.import_image_from_data(_file_system(), repository="gone", tag="1")
        for kind, count in (("containers", 2), ("networks", 1), ("volumes", None), ("images", None)):
            would = await pruning.prune(engine, kind, is_dry_run=True)
            again = await pruning.prune(engine, kind, is_dry_run=True)
            assert would == again
            if count is not None:
                assert len(would.names) == count
            did = await pruning.prune(engine, kind)
            assert (did.kind, did.names) == (kind, would.names)
            if kind == "containers":
                assert would.size_bytes == did.size_bytes >= 200_000
        await images.tag(engine, "gone:1", "gone:2")
        everything = await pruning.prune(engine, "images", with_tagged=True, is_dry_run=True)
        assert (await images.inspect(engine, "gone:1"))["Id"] in everything.names
        assert await images.remove(engine, "gone:1") == ["gone:1"]
        assert len(await images.remove(engine, "gone:2")) >= 2
        with pytest.raises(BadInput):
            await pruning.prune(engine, "hosts")

    on(lab, work)


@pytest.fixture(scope="module")
def registry() -> Iterator[str]:
    need("docker-registry")
    with directory() as home:
        port = free_port()
        (home / "config.yml").write_text(f"""
version: 0.1
storage: {{filesystem: {{rootdirectory: {home}/data}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:{port}"}}
""")
        server = Server(["docker-registry", "serve", home / "config.yml"], home / "log")
        server.wait_for(lambda: answers(port), "docker-registry")
        yield f"127.0.0.1:{port}"
        server.stop()


def test_an_image_is_pulled_with_its_steps(lab: Lab, registry: str) -> None:
    reference = f"{registry}/shop:1"
    lab.client.images.get(SHELL).tag(reference)
    lab.client.images.push(reference)
    lab.client.images.remove(reference)

    async def work(engine: Engine) -> None:
        async with aclosing(images.pull(engine, reference, images.authorization("user", "word"))) as steps:
            found = [step async for step in steps]
        assert any("Digest" in step.status for step in found)
        assert reference in [tag for image in await images.images(engine) for tag in image.tags]
        await images.remove(engine, reference)
        kinds = []
        spec = Spec(reference, ("true",))
        async with aclosing(run(engine, spec, is_removed=True)) as parts:
            kinds = [type(part) async for part in parts]
        assert kinds[0] is Progress
        assert kinds[-2:] == [Started, Exit], "what is missing is pulled"
        for wrong in (f"{registry}/nothing:1", f"127.0.0.1:{free_port()}/shop"):
            with pytest.raises(OpsError) as caught:
                await gathered(images.pull(engine, wrong, images.authorization("user", "word of a secret")))
            assert "word of a secret" not in str(caught.value)
        with pytest.raises(BadInput):
            await gathered(images.pull(engine, ""))

    on(lab, work)


def _like(engine: Engine) -> Awaitable[str]:
    return serve(
        engine, "web", image="shop:latest", command=(), environment={"OWN": "kept"}, labels={"app": "web"},
        network="back", aliases=("www",), restart="unless-stopped", mounts=("/etc/hostname:/h:ro",),
    )  # fmt: skip


def test_a_container_gets_the_newest_of_its_image_and_keeps_its_settings(lab: Lab) -> None:
    async def work(engine: Engine) -> None:
        await images.tag(engine, "shop:1", "shop:latest")
        await networks.create(engine, "back")
        await networks.create(engine, "more")
        await _like(engine)
        await networks.connect(engine, "more", "web", aliases=("second",))
        await gathered(execute(engine, "web", ["sh", "-c", "echo data > /data/file"]))
        old = await containers.inspect(engine, "web")
        same = (await gathered(replace(engine, "web", pulls=False)))[2]
        assert (same.is_changed, same.new_id) == (False, old["Id"])
        await images.tag(engine, "shop:2", "shop:latest")
        done = (await gathered(replace(engine, "web", pulls=False, settle_seconds=0.5)))[2]
        new = await containers.inspect(engine, "web")
        assert (done.is_changed, done.new_id, done.is_rolled_back) == (True, new["Id"], False)
        assert {"VERSION=2", "OWN=kept"} <= set(new["Config"]["Env"])
        assert "VERSION=1" not in new["Config"]["Env"]
        assert new["Config"]["Labels"] == {"app": "web"}, "the old image's label was not its own"
        assert new["HostConfig"]["RestartPolicy"] == old["HostConfig"]["RestartPolicy"]
        assert set(new["NetworkSettings"]["Networks"]) == {"back", "more"}
        assert "www" in new["NetworkSettings"]["Networks"]["back"]["Aliases"]
        assert "second" in new["NetworkSettings"]["Networks"]["more"]["Aliases"]
        out, _err, _end = await gathered(execute(engine, "web", ["sh", "-c", "cat /data/file /h"]))
        assert out.startswith(b"data\n"), "the volume without a name came along"
        assert [one.name for one in await containers.ps(engine)] == ["web"]

    on(lab, work)


def test_the_former_container_comes_back(lab: Lab) -> None:
    async def work(engine: Engine) -> None:
        old_id = await serve(engine, "web")
        for wrong in ("shop:none", "../json", "shop:1/../../x"):
            with pytest.raises((NotFound, BadInput)):
                await gathered(replace(engine, "web", image=wrong, pulls=False))
        done = (await gathered(replace(engine, "web", image="shop:sick", pulls=False)))[2]
        assert (done.is_rolled_back, done.is_changed) == (True, False)
        assert "health" in done.reason
        found = await containers.inspect(engine, "web")
        assert (found["Id"], found["State"]["Running"]) == (old_id, True)
        assert [one.name for one in await containers.ps(engine)] == ["web"]

    on(lab, work)


def test_a_container_whose_new_image_ends_comes_back(lab: Lab) -> None:
    async def work(engine: Engine) -> None:
        old_id = await serve(engine, "web", command=())
        done = (await gathered(replace(engine, "web", image="shop:ends", pulls=False)))[2]
        assert (done.is_rolled_back, done.new_id) == (True, old_id)
        assert "ended with 3" in done.reason
        well = (await gathered(replace(engine, "web", image="shop:well", pulls=False)))[2]
        assert well.is_changed
        assert (await containers.inspect(engine, "web"))["State"]["Health"]["Status"] == "healthy"

    on(lab, work)


def test_who_leaves_in_the_middle_of_a_replacement_has_the_former_one(lab: Lab) -> None:
    async def work(engine: Engine) -> None:
        old_id = await serve(engine, "web", command=())
        parts = replace(engine, "web", image="shop:2", pulls=False, settle_seconds=600)
        task = asyncio.create_task(gathered(parts))
        async with asyncio.timeout(60):
            while not [one for one in await containers.ps(engine) if one.name == "web" and one.image == "shop:2"]:
                await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        (found,) = await containers.ps(engine)
        assert (found.id, found.name, found.state) == (old_id, "web", "running")

    on(lab, work)


def test_a_compose_project_is_brought_up_found_and_brought_down(lab: Lab) -> None:
    path = lab.host.home / "pro ject" / "compose.yaml"
    path.parent.mkdir()
    path.write_text("""
version: "3"
services:
  web: {image: "shop:1"}
  db: {image: "shop:2", stop_grace_period: 1s}
""")
    path.parent.chmod(0o755)
    named = compose.of_file(str(path), "shop")
    environment = {"DOCKER_HOST": f"unix://{lab.socket}"}

    async def story() -> None:
        async with over_ssh(lab) as (connection, engine):
            up = await host_running.result_of(host_running.run(connection, compose.up(named, environment=environment)))
            assert up.exit.code == 0, up.stderr
            (found,) = await compose.projects(engine)
            assert (found.name, sorted(found.services), found.is_up) == ("shop", ["db", "web"], True)
            assert found.directory == str(path.parent)
            listed = await host_running.result_of(
                host_running.run(connection, compose.ps(found, environment=environment))
            )
            assert set(compose.ids_of(listed.stdout)) == {one.id for one in await containers.ps(engine)}
            down = await host_running.result_of(
                host_running.run(connection, compose.down(found, environment=environment))
            )
            assert down.exit.code == 0, down.stderr
            assert await compose.projects(engine) == []
            none = await host_running.result_of(
                host_running.run(connection, compose.ps(named, environment={"PATH": "/nonexistent"}))
            )
            assert none.exit.code == compose.NO_COMPOSE

    loop.run(story())
    with pytest.raises(BadInput):
        compose.up(named, ["--help"])
