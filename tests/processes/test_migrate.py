"""Two processes that start at once on an empty database: migrations run once, both serve."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from tests.lab.instances import QUARTERDECK, Instance
from tests.lab.parts import Server, directory

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def home() -> Iterator[Path]:
    with directory() as home:
        yield home


def _start_web(instance: Instance, log: Path) -> Server:
    words = [*QUARTERDECK, "web", "--data", str(instance.data), "--listen", instance.listen]
    assignments = [f"{name}={value}" for name, value in instance.environment.items()]
    return Server(["env", "-i", *assignments, *words], log)


def _both_serve(first: Instance, second: Instance, home: Path) -> None:
    servers = [_start_web(instance, home / f"web{number}.log") for number, instance in enumerate((first, second))]
    try:
        for server, instance in zip(servers, (first, second), strict=True):
            server.wait_for(lambda instance=instance: instance.get("/healthz")[0] == 200, "the web process")
            assert instance.get("/readyz")[1]["processes"]["web"] == {"status": "ready"}
    finally:
        assert [server.stop() for server in servers] == [0, 0]


def test_it_is_safe_on_sqlite(home: Path) -> None:
    _both_serve(Instance(home / "data"), Instance(home / "data"), home)


def test_it_is_safe_on_postgresql_from_two_machines(home: Path, postgres: str) -> None:
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("CREATE DATABASE two_migrate")
    url = postgres.rpartition("/")[0] + "/two_migrate"
    environment = {"QD_DATABASE_URL": url}
    _both_serve(Instance(home / "one" / "data", environment), Instance(home / "two" / "data", environment), home)
