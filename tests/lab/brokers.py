"""The three brokers that carry the work queue, each a real one that can be killed and started again."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kombu import Connection
from tests.lab.parts import Server, answers, as_user, directory, free_port, need

_RABBITMQ = "/usr/lib/rabbitmq/bin/rabbitmq-server"


class Broker:
    """`url` is what QD_BROKER_URL is set to, "" for the embedded one, which is no process that could be restarted."""

    def __init__(self, url: str, start: Callable[[], Server] | None = None) -> None:
        self.url = url
        self._start = start
        self._server = start() if start else None

    def restart(self) -> None:
        """Stop it as its administrator would and start it again on the same files."""
        if self._start:
            self.stop()
            self._server = self._start()

    def stop(self) -> None:
        if self._server:
            self._server.stop()


@contextmanager
def embedded() -> Iterator[Broker]:
    yield Broker("")


@contextmanager
def redis() -> Iterator[Broker]:
    need("redis-server")
    with directory() as home:
        port = free_port()

        def start() -> Server:
            words = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(home)]
            # What an operator is told to set: a queue that is neither lost at a restart nor evicted.
            words += ["--appendonly", "yes", "--maxmemory-policy", "noeviction", "--save", ""]
            server = Server(words, home / "log")
            server.wait_for(lambda: answers(port), "Redis")
            return server

        broker = Broker(f"redis://127.0.0.1:{port}/0", start)
        try:
            yield broker
        finally:
            broker.stop()


@contextmanager
def rabbitmq() -> Iterator[Broker]:
    need("rabbitmq-server")
    with directory("rabbitmq") as home:
        port, distribution, epmd = free_port(), free_port(), free_port()
        environment = {
            "HOME": str(home),
            "RABBITMQ_NODENAME": f"qd{port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(port),
            "RABBITMQ_DIST_PORT": str(distribution),
            "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
            "RABBITMQ_LOG_BASE": str(home / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none",
            "ERL_EPMD_PORT": str(epmd),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }
        assignments = [f"{name}={value}" for name, value in environment.items()]
        command = [*as_user("rabbitmq"), "env", *assignments, _RABBITMQ]

        def start() -> Server:
            server = Server(command, home / "output")
            server.wait_for(lambda: answers(port) and _speaks(url), "RabbitMQ")
            return server

        url = f"amqp://guest:guest@127.0.0.1:{port}//"
        broker = Broker(url, start)
        try:
            yield broker
        finally:
            broker.stop()
            _end_epmd(home, epmd)


def _speaks(url: str) -> bool:
    try:
        with Connection(url, connect_timeout=5) as connection:
            connection.connect()
    except OSError:
        return False
    return True


def _end_epmd(home: Path, port: int) -> None:
    """Erlang's name server outlives its node; this one is ours alone."""
    subprocess.run(
        [*as_user("rabbitmq"), "env", f"HOME={home}", f"ERL_EPMD_PORT={port}", "epmd", "-kill"],
        check=False,
        capture_output=True,
    )


BROKERS = {"embedded": embedded, "redis": redis, "rabbitmq": rabbitmq}
