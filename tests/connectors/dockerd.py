"""A Docker Engine of the tests' own: own data and socket, no firewall rules, an image made of this system's `sleep`
and busybox."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from docker import DockerClient
from docker.errors import NotFound

from quarterdeck.core.errors import Unavailable
from quarterdeck.inventory.connectors.docker_engine import client

IMAGE = "quarterdeck-test:1"
_START_SECONDS = 180


@contextmanager
def engine(*more: str) -> Iterator[str]:
    """Run dockerd in a directory of its own and yield its URL, `unix:///...`; everything is removed afterwards.

    `more` are further arguments of it.
    """
    directory = Path(tempfile.mkdtemp(prefix="qd-dockerd-"))
    url = f"unix://{directory}/docker.sock"
    command = ["dockerd", "--host", url, "--data-root", f"{directory}/data", "--exec-root", f"{directory}/exec"]
    command += ["--pidfile", f"{directory}/pid", "--iptables=false", "--ip6tables=false", *more]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _wait(url, process, directory / "log")
        _load_image(url)
        yield url
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def overlay(client: DockerClient, name: str) -> Iterator[None]:
    """Make the engine a swarm of one, which overlay networks need, with an attachable one called `name`."""
    client.swarm.init(advertise_addr="127.0.0.1", listen_addr="127.0.0.1:0")
    try:
        client.networks.create(name, driver="overlay", attachable=True)
        yield
    finally:
        for container in client.containers.list(all=True):
            container.remove(force=True)
        client.swarm.leave(force=True)
        # The bridge that containers of overlays use to reach out stays behind, and so would its interface.
        with suppress(NotFound):
            client.networks.get("docker_gwbridge").remove()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            client(url).close()
        except Unavailable:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"dockerd did not start:\n{log.read_text()[-2000:]}")


def _load_image(url: str) -> None:
    name, tag = IMAGE.split(":")
    with closing(client(url)) as engine:
        engine.api.import_image_from_data(_root_file_system(), repository=name, tag=tag)


def _root_file_system() -> bytes:
    """`sleep` with the libraries that it needs, and busybox for a shell: no registry, no download."""
    binary = shutil.which("sleep") or "/bin/sleep"
    libraries = re.findall(
        r"(/\S+)", subprocess.run(["ldd", binary], capture_output=True, text=True, check=True).stdout
    )
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in [binary, *libraries]:
            archive.add(Path(path).resolve(), arcname="bin/sleep" if path == binary else path.lstrip("/"))
        archive.add(Path(shutil.which("busybox") or "/bin/busybox").resolve(), arcname="bin/busybox")
    return buffer.getvalue()
