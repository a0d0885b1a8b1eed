"""A PostgreSQL server of its own."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.lab.parts import Server, as_user, directory, free_port, need

_BINARIES = Path("/usr/lib/postgresql/15/bin")


@contextmanager
def postgres(settings: Mapping[str, str] | None = None) -> Iterator[str]:
    """Yield the URL of an empty database. Nothing is synced to disk, as it lives as long as the test; `settings`, such
    as `{"fsync": "on"}`, come over that."""
    need("pg_ctl")
    with directory("postgres") as home:
        port = free_port()
        prefix = as_user("postgres")
        subprocess.run(
            [*prefix, _BINARIES / "initdb", "-D", home / "data", "-U", "quarterdeck", "-A", "trust", "-E", "UTF8"],
            check=True,
            capture_output=True,
        )
        options = {
            "port": str(port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(home),
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "max_connections": "200",
            **(settings or {}),
        }
        arguments = [f"--{name}={value}" for name, value in options.items()]
        server = Server([*prefix, _BINARIES / "postgres", "-D", home / "data", *arguments], home / "log")
        try:
            server.wait_for(lambda: _is_up(port), "PostgreSQL")
            yield f"postgresql://quarterdeck:secret@127.0.0.1:{port}/postgres"
        finally:
            server.stop()


def _is_up(port: int) -> bool:
    import psycopg

    try:
        psycopg.connect(f"host=127.0.0.1 port={port} user=quarterdeck dbname=postgres").close()
    except psycopg.OperationalError:
        return False
    return True
