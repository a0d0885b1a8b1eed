"""Trapper values into Quarterdeck and into Debian's Zabbix proxy, which takes and stores them as its server does."""

from __future__ import annotations

import contextlib
import functools
import json
import random
import shutil
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import psutil

from quarterdeck.telemetry.receivers.zabbix.framing import frame

_HOSTS, _KEYS = 20, 50
_PROXY = "zabbix_proxy"


def _names() -> Iterator[tuple[str, str]]:
    for host in range(_HOSTS):
        for key in range(_KEYS):
            yield f"host-{host}", f"app.value[{key}]"


def zabbix_values(count: int, in_request: int = 1000) -> list[bytes]:
    """Return requests of `in_request` trapper values each, as `zabbix_sender` makes them, of 1,000 items."""
    dice = random.Random(13)
    names = list(_names())
    now = int(time.time()) - 60
    found = []
    for start in range(0, count, in_request):
        data = [
            {"host": host, "key": key, "value": f"{dice.random() * 100:.3f}", "clock": now + start // count, "ns": n}
            for n, (host, key) in enumerate(names[at % len(names)] for at in range(start, start + in_request))
        ]
        found.append(frame(json.dumps({"request": "sender data", "data": data, "clock": now, "ns": 0}).encode()))
    return found


def send_zabbix(port: int, requests: Sequence[bytes]) -> None:
    """Send each request on a connection of its own, which is how Zabbix' senders do it; all values have to be taken."""
    for request in requests:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(request)
            answer = b""
            while part := connection.recv(4096):
                answer += part
                if b"}" in part:
                    break
        if b"failed: 0" not in answer:
            raise SystemExit(f"not all values were taken: {answer!r}")


class Proxy:
    """A Zabbix proxy that knows the hosts and items, and waits for a server which never asks."""

    def __init__(self, home: Path, port: int) -> None:
        self.port, self._database = port, home / "zabbix.db"
        self._config = home / "zabbix_proxy.conf"
        settings = {
            "ProxyMode": 1, "Server": "127.0.0.1", "Hostname": "bench", "ListenIP": "127.0.0.1", "ListenPort": port,
            "DBName": self._database, "LogFile": home / "zabbix.log", "PidFile": home / "zabbix.pid", "AllowRoot": 1,
            "SocketDir": home, "StartPollers": 1, "StartTrappers": 4, "CacheSize": "64M", "HistoryCacheSize": "256M",
            "HistoryIndexCacheSize": "64M",
        }  # fmt: skip
        self._config.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))

    def start(self) -> psutil.Popen:
        return psutil.Popen(
            [_PROXY, "-f", "-c", str(self._config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def add_items(self) -> None:
        """Give the proxy what its server would have told it."""
        with closing(sqlite3.connect(self._database)) as database, database:
            hosts = [(number + 1, f"host-{number}", f"host-{number}") for number in range(_HOSTS)]
            database.executemany("INSERT INTO hosts (hostid, host, name, status) VALUES (?, ?, ?, 0)", hosts)
            items = [
                (number, int(host.removeprefix("host-")) + 1, key, key)
                for number, (host, key) in enumerate(_names(), 1)
            ]
            # Type 2 is a trapper's, type 0 of values a float.
            database.executemany(
                "INSERT INTO items (itemid, type, hostid, name, key_, delay, value_type, params, description, posts,"
                " headers) VALUES (?, 2, ?, ?, ?, '0', 0, '', '', '', '')",
                items,
            )
            database.executemany("INSERT INTO item_rtdata (itemid) VALUES (?)", [item[:1] for item in items])

    def stored(self) -> int:
        with closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True, timeout=30)) as database:
            return int(database.execute("SELECT count(*) FROM proxy_history").fetchone()[0])

    def wait(self, count: int) -> None:
        while self.stored() < count:
            time.sleep(0.1)


def _low_port() -> int:
    """Return a free port that Zabbix takes: below 32768, where the system's own ones begin."""
    for port in random.sample(range(20_000, 32_767), 100):
        with socket.socket() as one, contextlib.suppress(OSError):
            one.bind(("127.0.0.1", port))
            return port
    raise SystemExit("no port is free")


@contextmanager
def zabbix_proxy(home: Path, answers: Callable[[int], bool]) -> Iterator[tuple[Proxy, list[int]]]:
    """Yield a proxy and its processes' ids. Raises FileNotFoundError when none is installed."""
    if shutil.which(_PROXY) is None:
        raise FileNotFoundError(_PROXY)
    port = _low_port()
    proxy = Proxy(home, port)
    # The first start makes the tables.
    with _running(proxy, functools.partial(answers, port)):
        pass
    proxy.add_items()
    with _running(proxy, functools.partial(answers, port)) as process:
        yield proxy, [process.pid, *(child.pid for child in process.children(recursive=True))]


@contextmanager
def _running(proxy: Proxy, is_up: Callable[[], bool]) -> Iterator[psutil.Popen]:
    process = proxy.start()
    try:
        while not is_up():
            if process.poll() is not None:
                raise SystemExit("the Zabbix proxy did not start")
            time.sleep(0.1)
        yield process
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
            process.wait()
