"""Telemetry on another server: the instance starts no engine, and all it writes and reads is at `QD_CLICKHOUSE_URL`.

The server is a second `quarterdeck engine`, the same ClickHouse code behind the same HTTP interface. What a server of
another make may do differently (clusters, other versions) is not shown by this.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import quote, urlsplit

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client
from tests.lab.instances import QUARTERDECK, Instance, running_instance
from tests.lab.parts import Server, directory, free_port, wait_until

from quarterdeck.core.keys import instance_key
from quarterdeck.core.processes import run_file

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A telemetry server of its own, started on its own; its URL with user and password."""
    with directory() as home:
        data, address = home / "elsewhere", f"127.0.0.1:{free_port()}"
        process = Server([*QUARTERDECK, "engine", "--data", str(data), "--listen", address], home / "engine.log")
        wait_until(lambda: bool(run_file(data, "engine").get("address")), "the other engine")
        yield f"http://quarterdeck:{quote(instance_key(data, 'engine'))}@{address}"
        process.stop()


@pytest.fixture(scope="module")
def there(server: str) -> Iterator[Client]:
    """A client of the server that is not the product's."""
    parts = urlsplit(server)
    found = clickhouse_connect.get_client(
        host=parts.hostname, port=parts.port or 0, username=parts.username, password=parts.password
    )
    yield found
    found.close()


@pytest.mark.parametrize("database", ["", "fleet"])
def test_an_instance_keeps_its_telemetry_on_the_server(server: str, there: Client, database: str) -> None:
    if database:
        there.command(f"CREATE DATABASE {database}")
    with running_instance({"QD_CLICKHOUSE_URL": f"{server}/{database}".rstrip("/")}) as instance:
        assert "engine" not in instance.pids()
        assert not (instance.data / "engine" / "store").exists()
        wait_until(lambda: bool(_hosts(instance)), "this machine as an item")
        host = _hosts(instance)[0]
        wait_until(lambda: _samples(there, database or "default", host) > 0, "samples on the server")
        read = instance.qd("chart", str(host), "system_memory_usage_bytes", "-o", "json")
        assert json.loads(read.stdout)["series"]
        _tells_where_it_is(instance, server)


def _hosts(instance: Instance) -> list[int]:
    _status, listed = instance.get("/api/v1/items?q=type:host", token=instance.token)
    return [int(host["id"]) for host in listed["items"]]


def _samples(there: Client, database: str, item: int) -> int:
    if not there.query(f"EXISTS TABLE {database}.samples").result_rows[0][0]:
        return 0
    mine = f"SELECT id FROM {database}.series WHERE item = {item}"
    return int(there.query(f"SELECT count() FROM {database}.samples WHERE id IN ({mine})").result_rows[0][0])


def _tells_where_it_is(instance: Instance, server: str) -> None:
    done = instance.run("doctor", "--data", str(instance.data), check=False)
    assert urlsplit(server).netloc.rpartition("@")[2] in done.stdout
    assert urlsplit(server).password not in done.stdout + done.stderr
