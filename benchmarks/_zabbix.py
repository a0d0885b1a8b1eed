"""Trapper values into Quarterdeck and into Debian's Zabbix server on PostgreSQL."""

from __future__ import annotations

import contextlib
import gzip
import json
import random
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
from psycopg.conninfo import conninfo_to_dict

from quarterdeck.telemetry.receivers.zabbix.framing import frame

_HOSTS, _KEYS = 20, 50
_SERVER = "zabbix_server"
_SCRIPTS = Path("/usr/share/zabbix-server-pgsql")
# Above those that its own templates have.
_FIRST_ID = 1_000_000


def _names() -> Iterator[tuple[str, str]]:
    for host in range(_HOSTS):
        for key in range(_KEYS):
            yield f"host-{host}", f"app.value[{key}]"


def zabbix_values(count: int, in_request: int = 1000) -> list[bytes]:
    """Return requests of `in_request` trapper values each, as `zabbix_sender` makes them, of 1,000 items."""
    dice = random.Random(13)
    names = list(_names())
    # A request each second, so that no value has the time of another.
    first = int(time.time()) - 60 - count // in_request
    found = []
    for start in range(0, count, in_request):
        clock = first + start // in_request
        data = [
            {"host": host, "key": key, "value": f"{dice.random() * 100:.3f}", "clock": clock, "ns": n}
            for n, (host, key) in enumerate(names[at % len(names)] for at in range(start, start + in_request))
        ]
        request = {"request": "sender data", "data": data, "clock": clock, "ns": 0}
        found.append(frame(json.dumps(request).encode()))
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


class ZabbixServer:
    """A Zabbix server that knows the hosts and items, on an empty PostgreSQL which syncs."""

    def __init__(self, home: Path, url: str, port: int) -> None:
        self.port, self._url = port, url
        self._config = home / "zabbix_server.conf"
        database = conninfo_to_dict(url)
        settings = {
            "ListenIP": "127.0.0.1", "ListenPort": port, "LogFile": home / "zabbix.log",
            "PidFile": home / "zabbix.pid", "AllowRoot": 1, "SocketDir": home, "StartPollers": 1, "StartTrappers": 4,
            "CacheSize": "64M", "HistoryCacheSize": "256M", "HistoryIndexCacheSize": "64M", "TrendCacheSize": "32M",
            "DBHost": database["host"], "DBPort": database["port"], "DBName": database["dbname"],
            "DBUser": database["user"], "DBPassword": database["password"],
        }  # fmt: skip
        self._config.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))

    def make_tables(self) -> None:
        """Run Debian's scripts, and give the server what a person would have clicked together."""
        with psycopg.connect(self._url, autocommit=True) as database:
            for name in ("schema", "images", "data"):
                database.execute(gzip.decompress((_SCRIPTS / f"{name}.sql.gz").read_bytes()))
        with psycopg.connect(self._url) as database, database.cursor() as cursor:
            hosts = [(_FIRST_ID + number, f"host-{number}", f"host-{number}") for number in range(_HOSTS)]
            cursor.executemany("INSERT INTO hosts (hostid, host, name, status) VALUES (%s, %s, %s, 0)", hosts)
            items = [
                (_FIRST_ID + number, _FIRST_ID + int(host.removeprefix("host-")), key, key)
                for number, (host, key) in enumerate(_names())
            ]
            # Type 2 is a trapper's, type 0 of values a float.
            cursor.executemany(
                "INSERT INTO items (itemid, type, hostid, name, key_, delay, value_type, params, description, posts,"
                " headers) VALUES (%s, 2, %s, %s, %s, '0', 0, '', '', '', '')",
                items,
            )
            cursor.executemany("INSERT INTO item_rtdata (itemid) VALUES (%s)", [item[:1] for item in items])

    def start(self) -> psutil.Popen:
        command = [_SERVER, "-f", "-c", str(self._config)]
        return psutil.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def backends(self) -> list[int]:
        """Return the ids of PostgreSQL's processes that work for the server."""
        with psycopg.connect(self._url) as database:
            rows = database.execute(
                "SELECT pid FROM pg_stat_activity WHERE pid != pg_backend_pid() AND backend_type != 'autovacuum worker'"
            )
            return [pid for (pid,) in rows]

    def warm_up(self) -> None:
        """Have it store something: its processes are all there then, with their connections."""
        send_zabbix(self.port, zabbix_values(1000))
        self.wait(1000)
        with psycopg.connect(self._url) as database:
            database.execute("TRUNCATE history")

    def wait(self, count: int) -> None:
        with psycopg.connect(self._url, autocommit=True) as database:
            # The server's own values are in the same table.
            counted = "SELECT count(*) FROM history WHERE itemid >= %s"
            while database.execute(counted, [_FIRST_ID]).fetchone() != (count,):
                time.sleep(0.5)


def _low_port() -> int:
    """Return a free port that Zabbix takes: below 32768, where the system's own ones begin."""
    for port in random.sample(range(20_000, 32_767), 100):
        with socket.socket() as one, contextlib.suppress(OSError):
            one.bind(("127.0.0.1", port))
            return port
    raise SystemExit("no port is free")


@contextmanager
def zabbix_server(home: Path) -> Iterator[tuple[ZabbixServer, list[int]]]:
    """Yield a server, with the ids of its processes and its database's. Raises FileNotFoundError when there is none."""
    from tests.lab.parts import answers, wait_until
    from tests.lab.postgres import postgres

    if shutil.which(_SERVER) is None:
        raise FileNotFoundError(_SERVER)
    with postgres({"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}) as url:
        server = ZabbixServer(home, url, _low_port())
        server.make_tables()
        process = server.start()
        try:
            wait_until(lambda: answers(server.port), "the Zabbix server")
            server.warm_up()
            yield server, [process.pid, *(child.pid for child in process.children(recursive=True)), *server.backends()]
        finally:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
                process.wait()
