"""What the pages say of each protocol: where it listens, and what a client has to be told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext as _

from quarterdeck.core.serving import split_address
from quarterdeck.telemetry.intake_status import Counts, IntakeStatus
from quarterdeck.telemetry.loading import receivers
from quarterdeck.telemetry.receiving import Client, Receiver

KEY_SLOT = "{key}"
_WILDCARDS = ("0.0.0.0", "::", "")  # noqa: S104 - compared, not bound
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True)
class Port:
    """`state` is "ok", "failed" or "off"; `setting` is the variable that moves the port."""

    text: str
    state: str
    problem: str
    setting: str


@dataclass(frozen=True, slots=True)
class Protocol:
    """A receiver as its row shows it; `counts` is None while the intake does not answer."""

    name: str
    title: str
    signals: list[str]
    ports: list[Port]
    counts: Counts | None

    @property
    def is_failing(self) -> bool:
        return any(port.state == "failed" for port in self.ports)


def signal_title(signal: str) -> str:
    titles = {"metrics": _("metrics"), "logs": _("logs"), "traces": _("traces"), "errors": _("errors")}
    return titles.get(signal, signal)


def protocols(status: IntakeStatus | None) -> list[Protocol]:
    """Return every receiver, by title."""
    counts = {row.protocol: row for row in status.protocols} if status else {}
    found = [
        Protocol(
            name,
            _(receiver.title),
            [signal_title(signal) for signal in receiver.signals],
            list(ports_of(name, receiver, status)),
            counts.get(name),
        )
        for name, receiver in receivers().items()
    ]
    return sorted(found, key=lambda protocol: protocol.title.lower())


def ports_of(name: str, receiver: Receiver, status: IntakeStatus | None) -> Iterator[Port]:
    """Yield the ports under which a protocol can be reached, and those that are switched off."""
    options = settings.QD_SETTINGS
    if receiver.routes:
        yield Port(
            f"http {settings.QD['intake_http']}", "ok" if status else "off", "", options["intake_http"].option.env
        )
    wanted: list[tuple[str, str]] = [
        (listener.setting, "tls" if listener.is_tls else listener.transport) for listener in receiver.listeners
    ]
    wanted += [(receiver.http_setting, "http")] if receiver.http_setting else []
    wanted += [("intake_grpc", "grpc")] if receiver.methods else []
    problems = {(one.transport, one.address): one.problem for one in status.listeners} if status else {}
    for setting, transport in wanted:
        address, env = str(settings.QD[setting]), options[setting].option.env
        problem = problems.get((transport, address), "")
        state = "off" if not address or status is None else "failed" if problem else "ok"
        yield Port(f"{transport} {address}".strip(), state, problem, env)


@dataclass(frozen=True, slots=True)
class Setup:
    """Ready-to-paste configuration: `parts` are joined by the key. `off` names the setting of a port that is off."""

    title: str
    parts: list[str]
    language: str
    off: str


def setups(receiver: Receiver, request: HttpRequest, project: int) -> list[Setup]:
    """Return the configuration of each of a protocol's clients, with this instance's addresses in it."""
    return [_setup(client, request, project) for client in receiver.clients]


def _setup(client: Client, request: HttpRequest, project: int) -> Setup:
    address = str(settings.QD[client.setting])
    off = "" if address else settings.QD_SETTINGS[client.setting].option.env
    http_host, http_port = _reachable(str(settings.QD["intake_http"]), request)
    host, port = _reachable(address, request) if address else (http_host, http_port)
    bracketed = f"[{http_host}]" if ":" in http_host else http_host
    values = {
        "{url}": f"http://{bracketed}:{http_port}",
        "{host}": host,
        "{port}": str(port),
        "{project}": str(project),
    }
    text = client.text
    for name, value in values.items():
        text = text.replace(name, value)
    return Setup(_(client.title), text.split(KEY_SLOT), client.language, off)


def _reachable(address: str, request: HttpRequest) -> tuple[str, int]:
    """Return host and port as others reach them: who listens everywhere is where this page came from."""
    host, port = split_address(address)
    if host in _WILDCARDS:
        return request.get_host().rsplit(":", 1)[0].strip("[]"), port
    return host, port


def is_for_this_machine_only(address: str) -> bool:
    return split_address(address)[0] in _LOOPBACK
