"""`make demo`: an instance of Quarterdeck, a small shop that it watches, and a fault to find.

The shop are three services with a database and some visitors, in an environment of their own, instrumented by nothing
but `opentelemetry-instrument` and `sentry_sdk.init()`. After a while a new release of one service is deployed.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
ENVIRONMENT = HERE.parent / ".tools" / "demo"
SERVICES = ("catalogue", "orders", "storefront")
GOOD, FAULTY = "2.0.0", "2.1.0"
_START_SECONDS = 120
_STOP_SECONDS = 20
_PROJECT = 7


def main() -> int:
    parser = argparse.ArgumentParser(prog="make demo")
    parser.add_argument("--data", type=Path, default=HERE.parent / "var" / "demo", help="directory of the demo")
    parser.add_argument("--listen", default="", help="HOST:PORT of the pages; 127.0.0.1:8000 or a free port without it")
    parser.add_argument("--fault-after", type=float, default=240.0, help="seconds until the faulty release is deployed")
    asked = parser.parse_args()
    # Ctrl-C and a supervisor's stop are the same to us.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with ExitStack() as stack:
            _run(stack, asked.data, asked.listen or f"127.0.0.1:{_port(8000)}", asked.fault_after)
    except KeyboardInterrupt:
        _say("stopped")
    return 0


def _run(stack: ExitStack, data: Path, listen: str, fault_after_seconds: float) -> None:
    data.mkdir(parents=True, exist_ok=True)
    _set_up(data)
    intake = f"127.0.0.1:{_port(4318)}"
    _say(f"starting Quarterdeck on {data / 'quarterdeck'}")
    stack.enter_context(_quarterdeck(data, listen, intake))
    shop = Shop(data, intake, stack)
    for name in SERVICES:
        shop.deploy(name, GOOD)
    stack.enter_context(shop.visitors())
    link = _set_up_link(data)
    _say(f"the shop is open: http://127.0.0.1:{shop.ports['storefront']}/")
    _say(f"make yourself an account first: {link}" if link else f"watch it at http://{listen}/services")
    _say(f"orders {FAULTY} will be deployed in {fault_after_seconds:g} s; Ctrl-C stops everything")
    time.sleep(fault_after_seconds)
    shop.deploy("orders", FAULTY)
    _say(f"orders {FAULTY} is deployed. Something is wrong now: begin at http://{listen}/services and click")
    signal.pause()


def _set_up(data: Path) -> None:
    """Make the services' environment and their database when there are none yet."""
    lock = HERE.parent / "requirements" / "demo.lock.txt"
    ready = ENVIRONMENT / "ready"
    if not ready.exists() or ready.read_text() != lock.read_text():
        _say("installing what the shop needs")
        _install(lock)
        ready.write_text(lock.read_text())
    database = data / "shop.db"
    if not database.exists():
        _say("filling the shop's database")
        fresh = data / "shop.new"
        fresh.unlink(missing_ok=True)
        subprocess.run([ENVIRONMENT / "bin" / "python", "-m", "shop.database", fresh], cwd=HERE, check=True)
        fresh.rename(database)


def _install(lock: Path) -> None:
    """Install by uv, which `make setup` brings and which takes seconds; by pip where there is none."""
    uv = Path(sys.executable).with_name("uv")
    if uv.exists():
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, ENVIRONMENT], check=True)
        install = [uv, "pip", "install", "--quiet", "--python", ENVIRONMENT / "bin" / "python"]
    else:
        subprocess.run([sys.executable, "-m", "venv", "--clear", ENVIRONMENT], check=True)
        install = [ENVIRONMENT / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, "--require-hashes", "-r", lock], check=True)


@contextmanager
def _quarterdeck(data: Path, listen: str, intake: str) -> Iterator[None]:
    environment = {**os.environ, "QD_INTAKE_HTTP": intake}
    command = [sys.executable, "-m", "quarterdeck", "up", "--data", str(data / "quarterdeck"), "--listen", listen]
    with _process(command, data / "quarterdeck.log", environment):
        _wait(f"http://{listen}/readyz", "Quarterdeck", data / "quarterdeck.log")
        yield


class Shop:
    """The services' processes; a deployment replaces one of them."""

    def __init__(self, data: Path, intake: str, stack: ExitStack) -> None:
        self.ports = {name: _port() for name in SERVICES}
        self._data, self._intake, self._stack = data, intake, stack
        self._running: dict[str, ExitStack] = {}

    def deploy(self, name: str, release: str) -> None:
        """Run `release` of a service in place of the one that runs."""
        if name in self._running:
            self._running[name].close()
        own = self._running[name] = self._stack.enter_context(ExitStack())
        log = self._data / f"{name}.log"
        command = [str(ENVIRONMENT / "bin" / "opentelemetry-instrument"), "python", "-m", f"shop.{name}"]
        own.enter_context(_process(command, log, self._environment(name, release)))
        _wait(f"http://127.0.0.1:{self.ports[name]}/health", name, log)

    def visitors(self) -> AbstractContextManager[None]:
        command = [str(ENVIRONMENT / "bin" / "python"), "-m", "shop.visitors"]
        return _process(command, self._data / "visitors.log", self._addresses())

    def _addresses(self) -> dict[str, str]:
        urls = {f"{name.upper()}_URL": f"http://127.0.0.1:{port}" for name, port in self.ports.items()}
        path = f"{ENVIRONMENT / 'bin'}{os.pathsep}{os.environ['PATH']}"
        return {**urls, "PATH": path, "PYTHONPATH": str(HERE), "PYTHONUNBUFFERED": "1"}

    def _environment(self, name: str, release: str) -> dict[str, str]:
        """What OpenTelemetry's and Sentry's clients read, and the service's own settings."""
        return {
            **self._addresses(),
            "PORT": str(self.ports[name]),
            "DATABASE": str(self._data / "shop.db"),
            "RELEASE": release,
            "OTEL_SERVICE_NAME": name,
            "OTEL_RESOURCE_ATTRIBUTES": f"service.version={release},deployment.environment.name=demo",
            "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "otel,host,process",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{self._intake}",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_TRACES_EXPORTER": "otlp",
            "OTEL_METRICS_EXPORTER": "otlp",
            "OTEL_LOGS_EXPORTER": "otlp",
            "OTEL_PYTHON_EXCLUDED_URLS": "health",
            "OTEL_METRIC_EXPORT_INTERVAL": "5000",
            "OTEL_BSP_SCHEDULE_DELAY": "1000",
            "OTEL_BLRP_SCHEDULE_DELAY": "1000",
            "SENTRY_DSN": f"http://public@{self._intake}/{_PROJECT}",
            "SENTRY_RELEASE": f"{name}@{release}",
            "SENTRY_ENVIRONMENT": "demo",
        }


@contextmanager
def _process(command: list[str], log: Path, environment: Mapping[str, str]) -> Iterator[None]:
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, cwd=HERE, env=environment, stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(url: str, what: str, log: Path) -> None:
    def answers() -> bool:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False

    deadline = time.monotonic() + _START_SECONDS
    while not answers():
        if time.monotonic() > deadline:
            raise SystemExit(f"error: {what} did not start\nhint: its last words in {log}:\n{_tail(log)}")
        time.sleep(0.2)


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-20:]) if log.exists() else ""


def _set_up_link(data: Path) -> str:
    words = (data / "quarterdeck.log").read_text(errors="replace").split()
    return next((word for word in reversed(words) if "/set-up/" in word), "")


def _port(preferred: int = 0) -> int:
    """Return `preferred` when it is free, else a free port."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise SystemExit("error: no free port on 127.0.0.1")


def _say(sentence: str) -> None:
    print(f"demo: {sentence}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
