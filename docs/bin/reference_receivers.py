"""Writes docs/reference/receivers.md: what the intake takes, from the receivers themselves."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pages import finish, set_up

if TYPE_CHECKING:
    from quarterdeck.telemetry.receiving import Receiver

_HEAD = """# What can be received

<!-- Made from the code by docs/bin/reference_receivers.py; do not edit. -->

Senders reach the intake under one HTTP address (setting `intake_http`) and on the ports of their protocols. On this
machine they need no key while `intake_loopback_open` is on; others send an intake key as a Bearer token, as the
password of Basic authentication, in `X-Quarterdeck-Key`, or in their protocol's own way. Ports that carry no key take
what comes from the networks that a key names.

In the configurations below `{url}`, `{host}`, `{port}`, `{key}` and `{project}` stand for your own values, which the
Intake page fills in. One that says "not tried here" is written from the client's documentation; the other clients are
run by the tests.
"""


def _places(receiver: Receiver) -> Iterator[str]:
    from quarterdeck.conf.options import OPTIONS

    defaults = {option.name: str(option.default) for option in OPTIONS}
    for route in receiver.routes:
        yield f"- `{', '.join(route.methods)} {route.pattern}`" + (", needs no key" if route.is_probe else "")
    for method in receiver.methods:
        yield f"- gRPC `{method.name}`, setting `intake_grpc` (`{defaults['intake_grpc']}`)"
    for listener in receiver.listeners:
        kind = "TLS" if listener.is_tls else listener.transport.upper()
        yield f"- {kind}, setting `{listener.setting}` ({_shown(defaults[listener.setting])})"
    if receiver.http_setting:
        name = receiver.http_setting
        yield f"- HTTP on a port of its own, setting `{name}` ({_shown(defaults[name])})"


def _shown(default: str) -> str:
    return f"`{default}`" if default else "off"


def _section(name: str, receiver: Receiver) -> Iterator[str]:
    from quarterdeck.telemetry.receiving import FAMILY

    text = inspect.cleandoc(sys.modules[f"{FAMILY}.{name}"].__doc__ or "")
    yield f"## {receiver.title}\n\n`{name}`: {', '.join(receiver.signals)}\n\n{text}\n"
    yield from _places(receiver)
    yield ""
    for client in receiver.clients:
        yield f"{client.title}:\n\n```{client.language}\n{client.text.rstrip()}\n```\n"


def render() -> str:
    """Return the whole page."""
    set_up()
    from quarterdeck.telemetry.loading import receivers

    lines = [_HEAD]
    for name, receiver in sorted(receivers().items(), key=lambda pair: pair[1].title.lower()):
        lines += _section(name, receiver)
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    sys.exit(finish("receivers", render()))
