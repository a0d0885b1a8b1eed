"""pip, uv and virtual environments on a real host, with wheels and an index made here: no network is needed."""

from __future__ import annotations

import base64
import functools
import hashlib
import http.server
import os
import shutil
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.lab.parts import need
from tests.lab.ssh_hosts import OPS, SshHost, ssh_host
from tests.remote.test_connect import keys_of, target_of

from quarterdeck.core.errors import BadInput, Conflict, NotFound, Unavailable
from quarterdeck.jobs.pip import commands, parsing
from quarterdeck.jobs.pip.commands import Wanted
from quarterdeck.jobs.pip.environments import MANAGED, NO_PIP, NO_PYTHON, NO_UV, NOT_A_VENV, Environment, Index
from quarterdeck.jobs.pip.parsing import Change, PipFailed
from quarterdeck.remote import loop
from quarterdeck.remote.running import Result, result_of, run
from quarterdeck.remote.scripts import Command
from quarterdeck.remote.target import Become


def on_a_host(test: Callable[..., None]) -> Callable[..., None]:
    for mark in (pytest.mark.slow, pytest.mark.xdist_group("pip"), pytest.mark.timeout(300)):
        test = mark(test)
    return test


NONCE = "0123456789abcdef"
PYTHON = "/usr/bin/python3"
SECRET = "a-word-that-nobody-sees"


def wheel(directory: Path, name: str, version: str, needs: str = "") -> Path:
    path = directory / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        + (f"Requires-Dist: {needs}\n" if needs else ""),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = []
    with zipfile.ZipFile(path, "w") as archive:
        for inner, text in files.items():
            archive.writestr(inner, text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            record.append(f"{inner},sha256={digest},{len(text)}")
        archive.writestr(f"{info}/RECORD", "\n".join([*record, f"{info}/RECORD,,", ""]))
    return path


@pytest.fixture(scope="module")
def host() -> Iterator[SshHost]:
    need("pip3", "sshd")
    with ssh_host() as running:
        wheels = running.home / "wheels"
        wheels.mkdir()
        for version in ("1.0", "2.0"):
            wheel(wheels, "qd_alpha", version)
        wheel(wheels, "qd_beta", "1.0", "qd-alpha>=2")
        (running.home / "venvs").mkdir()
        os.chown(running.home / "venvs", 4001, 4001)
        shutil.copy(Path(sys.executable).with_name("uv"), running.home / "uv")
        yield running
    loop.stop()


def done(host: SshHost, command: Command, user: str = "ops", become: Become | None = None) -> Result:
    async def story() -> Result:
        async with loop.pool().lease(target_of(host, user), keys_of(host)) as connection:
            return await result_of(run(connection, command, become=become))

    return loop.run(story())


def changed(host: SshHost, command: Command, user: str = "ops") -> list[Change]:
    result = done(host, command, user)
    assert result.exit.code == 0, result.stderr
    return parsing.changes(result.stdout, NONCE)


def offline(host: SshHost) -> Index:
    return Index(wheels=str(host.home / "wheels"), is_offline=True)


def with_uv(host: SshHost, command: Command) -> Command:
    path = f"{host.home}:/usr/bin:/bin"
    cache = {"UV_CACHE_DIR": str(host.home / "venvs" / ".cache"), "UV_OFFLINE": "0"}
    return replace(command, environment={**command.environment, "PATH": path, **cache})


@pytest.fixture(scope="module")
def venv(host: SshHost) -> str:
    path = str(host.home / "venvs" / "it's $(touch qd-evil) 汉")
    result = done(host, commands.create(path, python=PYTHON))
    assert (result.stdout, result.exit.code) == (b"changed\n", 0), result.stderr
    return path


@pytest.fixture(params=["pip", "uv"])
def tool(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def told(host: SshHost, tool: str, command: Command) -> Command:
    return with_uv(host, command) if tool == "uv" else command


def environment_of(venv: str, tool: str) -> Environment:
    return Environment(venv, uv="always" if tool == "uv" else "never")


@on_a_host
def test_packages_are_installed_upgraded_listed_and_removed(host: SshHost, venv: str, tool: str) -> None:
    environment, index = environment_of(venv, tool), offline(host)

    def install(*packages: str, **more: bool) -> Command:
        return told(host, tool, commands.install(environment, Wanted(packages, **more), NONCE, index))

    would = done(host, install("qd-alpha==1.0", is_dry_run=True))
    assert parsing.would_change(would.stdout) == [Change("qd-alpha", "", "1.0")], would.stderr
    assert changed(host, install("qd-alpha==1.0")) == [Change("qd-alpha", "", "1.0")]
    assert changed(host, install("qd-alpha")) == [], "any version is enough"
    listed = parsing.packages(done(host, told(host, tool, commands.installed(environment))).stdout)
    assert ("qd-alpha", "1.0") in {(parsing.normalized(one.name), one.version) for one in listed}
    newer = parsing.packages(done(host, told(host, tool, commands.outdated(environment, index))).stdout)
    assert [(parsing.normalized(one.name), one.latest) for one in newer] == [("qd-alpha", "2.0")]
    assert changed(host, install("qd-alpha", is_upgrade=True)) == [Change("qd-alpha", "1.0", "2.0")]
    assert changed(host, install("qd_beta [x] >=1 ; python_version>'3'")) == [Change("qd-beta", "", "1.0")]
    frozen = parsing.frozen(done(host, told(host, tool, commands.freeze(environment))).stdout)
    assert {"qd-alpha==2.0", "qd-beta==1.0"} <= {line.replace("_", "-") for line in frozen}
    fine = done(host, told(host, tool, commands.check(environment)))
    assert parsing.problems(fine.stdout, fine.exit.code) == []
    gone = told(host, tool, commands.uninstall(environment, ["qd-alpha", "QD.alpha"], NONCE))
    assert changed(host, gone) == [Change("qd-alpha", "2.0", "")]
    if tool == "uv":
        assert changed(host, gone) == [], "what is not there needs no removal"
    broken = done(host, told(host, tool, commands.check(environment)))
    assert broken.exit.code == 1
    assert any("alpha" in line for line in parsing.problems(broken.stdout, broken.exit.code))
    assert changed(host, told(host, tool, commands.uninstall(environment, ["qd_beta"], NONCE))) != []
    nothing = done(host, install("qd-nothing"))
    error = parsing.failure(nothing.exit.code, nothing.stderr)
    assert isinstance(error, PipFailed)
    assert not list(host.home.rglob("qd-evil"))


@on_a_host
def test_requirements_need_their_hashes(host: SshHost, venv: str, tool: str) -> None:
    environment, index = environment_of(venv, tool), offline(host)
    digest = hashlib.sha256((host.home / "wheels" / "qd_alpha-2.0-py3-none-any.whl").read_bytes()).hexdigest()

    def install(digest: str) -> Command:
        wanted = Wanted(requirements=f"qd-alpha==2.0 --hash=sha256:{digest}\n", with_hashes=True)
        return told(host, tool, commands.install(environment, wanted, NONCE, index))

    wrong = done(host, install("0" * 64))
    assert isinstance(parsing.failure(wrong.exit.code, wrong.stderr), PipFailed)
    assert b"hash" in wrong.stderr.lower()
    assert parsing.changes(wrong.stdout, NONCE) == []
    assert changed(host, install(digest)) == [Change("qd-alpha", "", "2.0")]
    assert changed(host, told(host, tool, commands.uninstall(environment, ["qd-alpha"], NONCE))) != []


class _Index(http.server.SimpleHTTPRequestHandler):
    """A simple index that wants a password, and looks at every process of the machine for it meanwhile."""

    seen: list[str] = []

    def do_GET(self) -> None:
        wanted = "Basic " + base64.b64encode(f"reader:{SECRET}".encode()).decode()
        if self.headers.get("Authorization") != wanted:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="x"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        for kind in ("cmdline", "environ"):
            for path in Path("/proc").glob(f"[0-9]*/{kind}"):
                try:
                    text = path.read_bytes()
                except OSError:
                    continue
                if SECRET.encode() in text:
                    self.seen.append(f"{path}: {text[:200]!r}")
        super().do_GET()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def index_of(wheels: Path) -> Iterator[str]:
    handler = functools.partial(_Index, directory=str(wheels.parent / "index"))
    folder = wheels.parent / "index" / "qd-alpha"
    folder.mkdir(parents=True, exist_ok=True)
    for path in wheels.glob("qd_alpha-*"):
        shutil.copy(path, folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://reader:{SECRET}@127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


@on_a_host
def test_the_password_of_an_index_is_seen_nowhere(host: SshHost, venv: str, tool: str) -> None:
    environment = environment_of(venv, tool)
    _Index.seen.clear()
    with index_of(host.home / "wheels") as url:
        wanted = Wanted(requirements="qd-alpha==2.0\n")
        command = told(host, tool, commands.install(environment, wanted, NONCE, Index(url)))
        assert SECRET not in command.text
        result = done(host, command)
        assert parsing.changes(result.stdout, NONCE) == [Change("qd-alpha", "", "2.0")], result.stderr
        assert SECRET.encode() not in result.stdout + result.stderr
    assert _Index.seen == []
    assert changed(host, told(host, tool, commands.uninstall(environment, ["qd-alpha"], NONCE))) != []


@on_a_host
def test_what_the_distribution_manages_is_left_alone(host: SshHost) -> None:
    system, index = Environment(python=PYTHON, uv="never"), offline(host)
    refused = done(host, commands.install(system, Wanted(("qd-alpha",)), NONCE, index))
    assert refused.exit.code == MANAGED
    assert isinstance(parsing.failure(refused.exit.code, refused.stderr), Conflict)
    base = {"PYTHONUSERBASE": str(host.home / "venvs" / "base")}
    mine = replace(system, is_user=True, breaks_system=True)
    install = replace(commands.install(mine, Wanted(("qd-alpha",)), NONCE, index), environment=base)
    assert changed(host, install) == [Change("qd-alpha", "", "2.0")]
    assert list((host.home / "venvs" / "base").rglob("qd_alpha.py"))
    gone = replace(commands.uninstall(mine, ["qd-alpha"], NONCE), environment=base)
    assert changed(host, gone) == [Change("qd-alpha", "2.0", "")]


@on_a_host
def test_virtual_environments_are_made_found_and_removed(host: SshHost, venv: str) -> None:
    assert done(host, commands.create(venv, python=PYTHON)).stdout == b"ok\n"
    by_uv = str(host.home / "venvs" / "by-uv")
    made = done(host, with_uv(host, commands.create(by_uv, python=PYTHON, uv="always")))
    assert made.stdout == b"changed\n", made.stderr
    found = parsing.environments(done(host, commands.discover([str(host.home)], users=["ops"], max_depth=4)).stdout)
    assert {one.path: (one.owner, one.made_by) for one in found} == {venv: ("ops", "venv"), by_uv: ("ops", "uv")}
    assert all(one.version.startswith("3.") and one.home for one in found)
    other = host.home / "venvs" / "other"
    other.mkdir()
    (other / "precious").touch()
    link = host.home / "venvs" / "link"
    link.symlink_to(venv)
    for path in (other, link):
        assert done(host, commands.remove(str(path)), "root").exit.code == NOT_A_VENV
    assert done(host, commands.create(str(other), python=PYTHON)).exit.code == NOT_A_VENV
    assert (other / "precious").exists()
    removed = done(host, commands.remove(by_uv), become=Become("sudo", "root", OPS))
    assert (removed.stdout, Path(by_uv).exists()) == (b"changed\n", False)
    assert done(host, commands.remove(by_uv)).stdout == b"ok\n"
    unwritable = done(host, commands.create("/etc/qd-venv", python=PYTHON))
    assert unwritable.exit.code not in (0, NOT_A_VENV)
    assert not Path("/etc/qd-venv").exists()


@on_a_host
def test_what_is_missing_is_told(host: SshHost, venv: str) -> None:
    cases = {
        commands.installed(Environment("/nonexistent/venv")).text: (NOT_A_VENV, NotFound),
        commands.installed(Environment(python="python9")).text: (NO_PYTHON, NotFound),
        commands.installed(Environment(venv, uv="always")).text: (NO_UV, Unavailable),
        commands.create("/tmp/qd-none", python="python9").text: (NO_PYTHON, NotFound),
    }
    for text, (code, kind) in cases.items():
        result = done(host, replace(Command(text), environment={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}))
        assert (result.exit.code, type(parsing.failure(result.exit.code, result.stderr))) == (code, kind)
    bare = host.home / "venvs" / "bare"
    command = Command.of([PYTHON, "-m", "venv", "--without-pip", str(bare)])
    assert done(host, command).exit.code == 0
    none = done(host, commands.installed(Environment(str(bare), uv="never")))
    assert none.exit.code == NO_PIP
    auto = done(host, with_uv(host, commands.installed(Environment(str(bare)))))
    assert (parsing.packages(auto.stdout), auto.exit.code) == ([], 0), "uv needs no pip in there"


ANY = Environment("/venv")


@pytest.mark.parametrize(
    "package",
    [
        "-r /etc/shadow",
        "--index-url=http://x",
        "",
        "a\nb",
        "a\0",
        "./local",
        "/etc",
        "a b",
        "a$(id)",
        "a`id`",
        "git+ssh://x",
    ],
)
def test_what_is_no_package_is_refused(package: str) -> None:
    with pytest.raises(BadInput):
        commands.install(ANY, Wanted((package,)), NONCE)
    with pytest.raises(BadInput):
        commands.uninstall(ANY, [package], NONCE)


def test_what_makes_no_sense_is_refused() -> None:
    for environment in (
        Environment("relative"), Environment("/"), Environment("/a/../b"), Environment("/a\nb"),
        Environment(python="-c"), Environment(uv="perhaps"),
        Environment("/venv", is_user=True), Environment(is_user=True, uv="always"), Environment(python="bin/python"),
    ):  # fmt: skip
        with pytest.raises(BadInput):
            commands.installed(environment)
    for index in (Index("file:///etc"), Index("https://x\n"), Index(wheels="wheels"), Index('https://a:b"c@x/')):
        with pytest.raises(BadInput):
            commands.install(ANY, Wanted(("a",)), NONCE, index)
    for wanted in (Wanted(), Wanted(("a",), with_hashes=True), Wanted(requirements="a\n" * 600_000)):
        with pytest.raises(BadInput):
            commands.install(ANY, wanted, NONCE)
    for work in (
        lambda: commands.discover(["."]),
        lambda: commands.discover(users=["x y"]),
        lambda: commands.remove("/"),
    ):
        with pytest.raises(BadInput):
            work()


def test_a_requirement_is_quoted() -> None:
    text = commands.install(ANY, Wanted(("a[b]>=1; python_version<'4' and sys_platform=='$(id)'",)), NONCE).text
    assert "'a[b]>=1; python_version<'\"'\"'4'\"'\"' and sys_platform=='\"'\"'$(id)'\"'\"''" in text


def test_output_that_is_none_is_told() -> None:
    for output in (b"", b"[]", f"{commands.MARK} {NONCE}\n".encode() * 3):
        with pytest.raises(PipFailed):
            parsing.changes(output + b"x", NONCE)
    with pytest.raises(PipFailed):
        parsing.packages(b'{"a": 1}')
    with pytest.raises(PipFailed):
        parsing.would_change(b"{ no JSON")
    assert parsing.environments(b"/a\0root\0home = /usr/bin") == [], "cut off in the middle"
